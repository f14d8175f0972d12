// Sketches against the reference, and the one thing asked of them: a bound that no rounding breaks.
#include "engine/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/reference/distance.h"
#include "tests/reference/sketch.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike {
namespace {

using Rows = std::vector<float>;
using reference::Extended;

struct Case {
  const char* name;
  Rows rows;
  int64_t dimension;
  int64_t components;
};

Rows repeated(const Rows& some, int64_t times) {
  Rows all;
  for (int64_t i = 0; i < times; ++i) all.insert(all.end(), some.begin(), some.end());
  return all;
}

// Rows near a plane through `mean`: what a few directions can say almost all of.
Rows near_a_plane(int64_t count, int64_t dimension, double mean, double spread, double noise) {
  test::Random random(5);
  Rows axes = test::random_floats(3 * dimension, -1, 1, 6);
  Rows rows;
  for (int64_t r = 0; r < count; ++r) {
    const double a = random.between(-3, 3), b = random.between(-2, 2), c = random.between(-1, 1);
    for (std::size_t i = 0; i < static_cast<std::size_t>(dimension); ++i) {
      const auto d = static_cast<std::size_t>(dimension);
      const double along = a * static_cast<double>(axes[i]) + b * static_cast<double>(axes[d + i]) +
                           c * static_cast<double>(axes[2 * d + i]);
      rows.push_back(static_cast<float>(mean + spread * (along + noise * random.between(-1, 1))));
    }
  }
  return rows;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"random", test::random_floats(70 * 40, -1, 1, 1), 40, 9});
  all.push_back({"near a plane", near_a_plane(90, 100, 0, 1, 0.01), 100, 5});
  all.push_back({"codes", near_a_plane(60, kCodeLength, 0.5, 0.3, 0.2), kCodeLength, 31});
  all.push_back({"all directions", test::random_floats(30 * 12, 0, 4, 2), 12, 12});
  all.push_back({"one number", test::random_floats(20, -5, 5, 3), 1, 1});
  all.push_back({"one row", test::random_floats(16, -5, 5, 4), 16, 3});
  all.push_back({"all equal", Rows(static_cast<std::size_t>(50 * 24), 0.3F), 24, 4});
  all.push_back({"zeros", Rows(static_cast<std::size_t>(50 * 24), 0.0F), 24, 4});
  all.push_back({"duplicates", repeated(test::random_floats(4 * 24, -1, 1, 7), 12), 24, 4});
  all.push_back({"1e-6 from 10", near_a_plane(60, 64, 10, 1e-6, 0.5), 64, 6});
  all.push_back({"below normal", near_a_plane(60, 64, 0, 1e-41, 0.5), 64, 6});
  all.push_back({"large", near_a_plane(60, 64, 0, 1e30, 0.5), 64, 6});
  Rows outlier = near_a_plane(60, 64, 0, 1, 0.1);
  std::fill_n(outlier.begin() + 64, 64, 1e25F);
  all.push_back({"one huge row", outlier, 64, 6});
  Rows largest(static_cast<std::size_t>(6 * 16), -std::numeric_limits<float>::max());
  std::fill_n(largest.begin() + 32, 32, std::numeric_limits<float>::max());
  all.push_back({"the largest floats", largest, 16, 2});
  return all;
}

struct Sketched {
  std::vector<float> sketches;
  std::vector<double> errors;
  int64_t size = 0;

  std::span<const float> of(std::size_t row) const {
    return std::span(sketches).subspan(row * static_cast<std::size_t>(size), static_cast<std::size_t>(size));
  }
};

Sketched sketch_all(const Sketcher& sketcher, std::span<const float> rows, int threads,
                    bool as_queries = false) {
  ThreadPool pool(threads);
  Sketched result;
  result.size = sketcher.size();
  result.errors.assign(rows.size() / static_cast<std::size_t>(sketcher.projection().dimension), -1.0);
  result.sketches.assign(result.errors.size() * static_cast<std::size_t>(result.size), -7.0F);
  if (as_queries) {
    sketcher.sketch_fast(rows, pool, result.sketches, result.errors);
  } else {
    sketcher.sketch(rows, pool, result.sketches, result.errors);
  }
  return result;
}

SketchProjection fitted(const Case& c, int threads = 1) {
  ThreadPool pool(threads);
  return fit_projection(c.rows, c.dimension, c.components, pool);
}

std::span<const float> row_of(const Case& c, std::size_t row) {
  const auto d = static_cast<std::size_t>(c.dimension);
  return std::span(c.rows).subspan(row * d, d);
}

void expect_reference(const Case& c, const Sketcher& sketcher, bool as_queries) {
  const Sketched got = sketch_all(sketcher, c.rows, 2, as_queries);
  for (std::size_t r = 0; r < got.errors.size(); ++r) {
    if (std::isinf(got.errors[r])) continue;
    const auto exact =
        reference::sketch(row_of(c, r), sketcher.projection().mean, sketcher.projection().directions);
    Extended square = 0;
    for (std::size_t j = 0; j < exact.size(); ++j) {
      const Extended difference = exact[j] - Extended{got.of(r)[j]};
      square += difference * difference;
    }
    ASSERT_LE(std::sqrt(square), Extended{got.errors[r]}) << c.name << ", row " << r;
  }
}

TEST(Sketcher, StoresTheReferenceSketchWithinItsError) {
  for (const Case& c : cases()) {
    const SketchProjection projection = fitted(c);
    for (const bool as_queries : {false, true}) {
      expect_reference(c, Sketcher(projection), as_queries);
      SketchProjection longer = projection;
      for (float& value : longer.directions) value *= 1.01F;
      expect_reference(c, Sketcher(longer), as_queries);
    }
  }
}

class QuerySketches : public test::TargetTest {};

TEST_P(QuerySketches, AreWithinTheirErrorsOfTheReference) {
  for (const Case& c : cases()) expect_reference(c, Sketcher(fitted(c)), true);
}
LOOKALIKE_FOR_EACH_TARGET(QuerySketches);

// 2^-24 sqrt(m) times the roundings of a dot product, of D = 2,888 84 on sixteen lanes and 264 on four: 9e-5
// of the length. The last number's is larger by the length of the others over it.
TEST(Sketcher, ErrorsOfQueriesAreThoseOfFloatAndNotMuchMore) {
  for (const Case& c : cases()) {
    const std::string name = c.name;
    if (name != "random" && name != "codes" && name != "large") continue;
    const Sketched got = sketch_all(Sketcher(fitted(c)), c.rows, 1, true);
    for (std::size_t r = 0; r < got.errors.size(); ++r) {
      Extended square = 0;
      for (const float value : got.of(r)) square += Extended{value} * Extended{value};
      ASSERT_LE(Extended{got.errors[r]}, 3e-3L * std::sqrt(square)) << c.name << ", row " << r;
    }
  }
}

TEST(Sketcher, ErrorsAreThoseOfFloatAndNotMuchMore) {
  for (const Case& c : cases()) {
    const std::string name = c.name;
    if (name != "random" && name != "codes" && name != "large") continue;
    const Sketched got = sketch_all(Sketcher(fitted(c)), c.rows, 1);
    for (std::size_t r = 0; r < got.errors.size(); ++r) {
      Extended square = 0;
      for (const float value : got.of(r)) square += Extended{value} * Extended{value};
      ASSERT_LE(Extended{got.errors[r]}, 1e-7L * std::sqrt(square)) << c.name << ", row " << r;
    }
  }
}

// Largest of (|q - b| of sketches less their errors) / |q - b|, which stretch bounds.
Extended largest_ratio(const Case& c, const Sketcher& sketcher) {
  const Sketched got = sketch_all(sketcher, c.rows, 1);
  Extended largest = 0;
  for (std::size_t q = 0; q < got.errors.size(); ++q) {
    for (std::size_t b = 0; b < got.errors.size(); ++b) {
      const Extended apart = std::sqrt(reference::exact_squared_distance(row_of(c, q), row_of(c, b)));
      const Extended near = reference::sketch_distance(got.of(q), got.of(b)) - Extended{got.errors[q]} -
                            Extended{got.errors[b]};
      if (apart == 0) {
        EXPECT_LE(near, 0) << c.name;
      } else {
        largest = std::max(largest, near / apart);
      }
    }
  }
  return largest;
}

TEST(Sketcher, GivesLowerBoundsWhateverTheData) {
  for (const Case& c : cases()) {
    const Sketcher sketcher(fitted(c));
    EXPECT_LE(sketcher.stretch(), 1 + 1e-4) << c.name;
    EXPECT_LE(largest_ratio(c, sketcher), Extended{sketcher.stretch()}) << c.name;
  }
}

TEST(Sketcher, PaysForDirectionsThatAreNotOrthonormal) {
  Case c = cases()[1];
  SketchProjection projection = fitted(c);
  for (float& value : projection.directions) value *= 1.01F;
  const Sketcher sketcher(projection);
  const Extended defect = reference::orthonormality_defect(projection.directions, 100);
  EXPECT_GE(Extended{sketcher.stretch()}, reference::sketch_stretch(defect));
  EXPECT_LE(Extended{sketcher.stretch()}, reference::sketch_stretch(defect) * (1 + 1e-9L));
  // Rows in the span of the directions: there the sketch is longer than the code.
  c.rows.assign(projection.mean.begin(), projection.mean.end());
  c.rows.insert(c.rows.end(), projection.mean.begin(), projection.mean.end());
  for (std::size_t i = 0; i < 100; ++i) c.rows[i] += projection.directions[i];
  const Extended ratio = largest_ratio(c, sketcher);
  EXPECT_GT(ratio, 1.009L) << "1 would be no bound";
  EXPECT_LE(ratio, Extended{sketcher.stretch()});
}

TEST(Sketcher, TellsWhereASketchHasNoRoomInAFloat) {
  const Case c = cases().back();
  const Sketched got = sketch_all(Sketcher(fitted(c)), c.rows, 1);
  EXPECT_TRUE(std::any_of(got.errors.begin(), got.errors.end(), [](double e) { return std::isinf(e); }));
  for (const float value : got.sketches) EXPECT_TRUE(std::isfinite(value));
}

TEST(Sketcher, KnowsNothingOfACodeThatIsNotFinite) {
  const Case c = cases()[0];
  const Sketcher sketcher(fitted(c));
  for (const float value : {std::nanf(""), HUGE_VALF}) {
    Rows row(c.rows.begin(), c.rows.begin() + c.dimension);
    row[5] = value;
    for (const bool as_queries : {false, true}) {
      const Sketched got = sketch_all(sketcher, row, 1, as_queries);
      EXPECT_TRUE(std::isinf(got.errors[0]));
      for (const float number : got.sketches) EXPECT_EQ(number, 0.0F);
    }
  }
}

TEST(Sketcher, SameBytesForAnyThreadsAndAnyCount) {
  const Case c = cases()[2];
  const SketchProjection one = fitted(c, 1), three = fitted(c, 3);
  ASSERT_EQ(one.directions, three.directions);
  ASSERT_EQ(one.mean, three.mean);
  const Sketcher sketcher(one);
  for (const bool as_queries : {false, true}) {
    const Sketched all = sketch_all(sketcher, c.rows, 1, as_queries);
    const Sketched again = sketch_all(sketcher, c.rows, 3, as_queries);
    EXPECT_EQ(all.sketches, again.sketches);
    EXPECT_EQ(all.errors, again.errors);
    for (const std::size_t r : {0U, 1U, 30U, 59U}) {
      for (const int threads : {1, 3}) {
        const Sketched alone = sketch_all(sketcher, row_of(c, r), threads, as_queries);
        EXPECT_TRUE(std::equal(alone.sketches.begin(), alone.sketches.end(), all.of(r).begin()));
        EXPECT_EQ(alone.errors[0], all.errors[r]);
      }
    }
  }
}

TEST(FitProjection, FindsThePlaneThatTheRowsLieNear) {
  const Case c = {"", near_a_plane(200, 300, 2, 1, 0.001), 300, 3};
  const Sketched got = sketch_all(Sketcher(fitted(c)), c.rows, 1);
  for (std::size_t r = 0; r < got.errors.size(); ++r) {
    // The noise is uniform in +-0.001 over 300 numbers: 0.01 long.
    ASSERT_LT(got.of(r)[3], 0.02F) << r;
    ASSERT_GT(got.of(r)[3], 0.001F) << r;
  }
}

TEST(FitProjection, RefusesShapesThatDoNotFit) {
  ThreadPool pool(1);
  const Rows rows(12, 1.0F);
  EXPECT_THROW(fit_projection(rows, 5, 2, pool), std::invalid_argument);
  EXPECT_THROW(fit_projection(rows, 4, 5, pool), std::invalid_argument);
  EXPECT_THROW(fit_projection({}, 4, 1, pool), std::invalid_argument);
  SketchProjection projection = fit_projection(rows, 4, 2, pool);
  projection.directions[3] = std::nanf("");
  EXPECT_THROW(Sketcher{projection}, std::invalid_argument);
  const Rows long_row(static_cast<std::size_t>(kMostSketchedDimension + 1), 0.0F);
  EXPECT_THROW(Sketcher({kMostSketchedDimension + 1, long_row, long_row}), std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
