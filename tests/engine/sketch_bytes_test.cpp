// 8-bit sketches: the stated error holds, and with it integers give lower bounds of distances.
#include "engine/sketch_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "engine/sketch_blocks.h"
#include "engine/sketch_plan.h"
#include "kernels/cpu/sketch_scan.h"
#include "tests/reference/distance.h"
#include "tests/reference/sketch.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using Rows = std::vector<float>;
using reference::Extended;

struct Case {
  const char* name;
  Rows rows;
  int64_t size, bytes;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"random", test::random_floats(60 * 20, -1, 1, 1), 20, 20});
  all.push_back({"a length last", test::random_floats(60 * 20, -1, 1, 1), 20, 7});
  all.push_back({"only a length", test::random_floats(60 * 20, -1, 1, 1), 20, 1});
  all.push_back({"1e-6 from 10", test::random_floats(60 * 20, 10 - 1e-6, 10 + 1e-6, 1), 20, 12});
  all.push_back({"below normal", test::random_floats(60 * 20, -1e-40, 1e-40, 1), 20, 12});
  all.push_back({"large", test::random_floats(60 * 20, -1e30, 1e30, 1), 20, 12});
  all.push_back({"all equal", Rows(400, 0.3F), 20, 12});
  all.push_back({"zeros", Rows(400, 0.0F), 20, 12});
  Rows huge = test::random_floats(60 * 20, -1, 1, 2);
  std::fill_n(huge.begin() + 40, 20, std::numeric_limits<float>::max());
  all.push_back({"one huge row", huge, 20, 12});
  return all;
}

std::span<const float> row_of(const Case& c, std::size_t row) {
  const auto size = static_cast<std::size_t>(c.size);
  return std::span(c.rows).subspan(row * size, size);
}

// Of every row: its bytes' place in space, in extended precision, and the stated error.
struct Placed {
  std::vector<std::vector<Extended>> places;
  std::vector<std::vector<int8_t>> bytes;
  std::vector<double> errors;
};

Placed place(const Case& c, const ByteSketcher& sketcher) {
  Placed placed;
  for (std::size_t r = 0; r < c.rows.size() / static_cast<std::size_t>(c.size); ++r) {
    std::vector<int8_t> bytes(static_cast<std::size_t>(sketcher.stored()), 99);
    placed.errors.push_back(sketcher.sketch(row_of(c, r), bytes.data()));
    std::vector<Extended> at;
    for (std::size_t i = 0; i < sketcher.centre().size(); ++i)
      at.push_back(Extended{sketcher.centre()[i]} + Extended{sketcher.step()} * bytes[i]);
    for (std::size_t i = at.size(); i < bytes.size(); ++i) EXPECT_EQ(bytes[i], 0) << "padding";
    placed.places.push_back(std::move(at));
    placed.bytes.push_back(std::move(bytes));
  }
  return placed;
}

std::vector<ByteSketcher> sketchers_for(const Case& c) {
  const ByteSketcher fitted = fit_byte_sketcher(c.rows, c.size, c.bytes);
  // A coarse step, half of whose numbers lie midway, and one that clips nearly all.
  return {fitted, ByteSketcher(fitted.centre(), fitted.step() * 40),
          ByteSketcher(fitted.centre(), fitted.step() / 500)};
}

TEST(ByteSketcher, ErrsByNoMoreThanItSays) {
  for (const Case& c : cases()) {
    for (const ByteSketcher& sketcher : sketchers_for(c)) {
      const Placed placed = place(c, sketcher);
      for (std::size_t r = 0; r < placed.errors.size(); ++r) {
        const auto exact = reference::clipped_sketch(row_of(c, r), sketcher.centre(), sketcher.step());
        const Extended lost = reference::sketch_distance<Extended>(placed.places[r], exact);
        ASSERT_LE(lost, Extended{placed.errors[r]}) << c.name << ", row " << r;
        // Half a step for each number is the most that rounding loses.
        const Extended most = sketcher.step() * std::sqrt(static_cast<Extended>(sketcher.numbers())) / 2;
        ASSERT_LE(Extended{placed.errors[r]}, most * (1 + 1e-6L) + 1e-9L * std::abs(exact[0])) << c.name;
      }
    }
  }
}

TEST(ByteSketcher, GivesLowerBoundsOfTheDistancesOfSketches) {
  for (const Case& c : cases()) {
    for (const ByteSketcher& sketcher : sketchers_for(c)) {
      const Placed placed = place(c, sketcher);
      for (std::size_t a = 0; a < placed.errors.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
          int64_t square = 0;
          for (std::size_t i = 0; i < placed.bytes[a].size(); ++i) {
            const int64_t apart = placed.bytes[a][i] - placed.bytes[b][i];
            square += apart * apart;
          }
          const Extended bytes = Extended{sketcher.step()} * std::sqrt(static_cast<Extended>(square));
          const Extended sketches = std::sqrt(reference::exact_squared_distance(row_of(c, a), row_of(c, b)));
          ASSERT_LE(bytes - Extended{placed.errors[a]} - Extended{placed.errors[b]}, sketches * (1 + 1e-18L))
              << c.name << ": " << a << ", " << b;
        }
      }
    }
  }
}

// Ten numbers fit in a float where their length does not.
TEST(FitByteSketcher, TakesLengthsBeyondAFloat) {
  const ByteSketcher sketcher = fit_byte_sketcher(Rows(400, 3e38F), 20, 11);
  EXPECT_EQ(sketcher.centre().back(), std::numeric_limits<float>::max());
}

TEST(FitByteSketcher, IsNotLedByRowsOutOfTheOrdinary) {
  Rows rows = test::random_floats(1000 * 20, -1, 1, 3);
  const ByteSketcher before = fit_byte_sketcher(rows, 20, 12);
  for (std::size_t r = 0; r < 1000; r += 50) rows[r * 20] = 1e9F;
  const ByteSketcher after = fit_byte_sketcher(rows, 20, 12);
  EXPECT_LT(after.step(), before.step() * 1.1);
  EXPECT_LT(std::abs(after.centre()[0]), 0.2F);
}

TEST(PackSketches, ScoresAreDistances) {
  const Case c = cases()[1];
  const ByteSketcher sketcher = fit_byte_sketcher(c.rows, c.size, c.bytes);
  const Placed placed = place(c, sketcher);
  // The sketches' own errors come on top.
  std::vector<double> errors(placed.errors.size(), 0.25);
  errors[7] = 0.5;
  const SketchBlockStorage block = pack_sketches(c.rows, errors, sketcher, fit_fine_sketcher(c.rows, c.size));
  EXPECT_GE(block.fine_error, 0.5);
  EXPECT_GE(block.byte_error, 0.5 + placed.errors[7]);
  const int64_t stored = sketcher.stored();
  const std::vector<int32_t> all(1, std::numeric_limits<int32_t>::min());
  for (const auto& query : placed.bytes) {
    std::vector<cpu::SketchHit> hits(64);
    ASSERT_EQ(cpu::scan_sketches(query.data(), 1, stored, block.bytes.data(), block.halves.data(), all.data(),
                                 hits.data()),
              64);
    for (const cpu::SketchHit& hit : hits) {
      if (hit.row >= 60) {
        EXPECT_LT(hit.score, cpu::kNoRow / 2) << "a row that is not there";
        continue;
      }
      int64_t square = 0, sum = 0, apart = 0;
      for (std::size_t i = 0; i < query.size(); ++i) {
        const int64_t difference = query[i] - placed.bytes[static_cast<std::size_t>(hit.row)][i];
        square += query[i] * query[i];
        sum += query[i];
        apart += difference * difference;
      }
      const int64_t above = 2 * (hit.score - 128 * sum) - (square - apart);
      EXPECT_TRUE(above == 0 || above == 1) << above;
    }
  }
}

TEST(ByteSketcher, RefusesWhatIsNoScale) {
  EXPECT_THROW(ByteSketcher({}, 1), std::invalid_argument);
  EXPECT_THROW(ByteSketcher({0}, 0), std::invalid_argument);
  EXPECT_THROW(ByteSketcher({0}, std::nan("")), std::invalid_argument);
  EXPECT_THROW(ByteSketcher({HUGE_VALF}, 1), std::invalid_argument);
  EXPECT_THROW(fit_byte_sketcher({}, 3, 3), std::invalid_argument);
  int8_t bytes[4];
  EXPECT_THROW(ByteSketcher({0, 0, 0}, 1).sketch(Rows(2, 0.0F), bytes), std::invalid_argument);
}

TEST(WithEvenVariance, TurnsTheFirstDirectionsAlone) {
  Rows sample;
  test::Random random(3);
  for (int r = 0; r < 300; ++r) {
    for (int i = 0; i < 40; ++i) sample.push_back(static_cast<float>(random.between(-1, 1) / (1.0 + i * i)));
  }
  ThreadPool pool(1);
  const SketchProjection before = fit_projection(sample, 40, 12, pool), after = with_even_variance(before, 8);
  EXPECT_TRUE(std::equal(before.directions.begin() + 8 * 40, before.directions.end(),
                         after.directions.begin() + 8 * 40));
  EXPECT_LT(reference::orthonormality_defect(after.directions, 40), 1e-5L);
  // The first direction held 99 % of the variance; of 8 that share it, none is left with nearly none.
  std::vector<double> variance(8);
  for (std::size_t r = 0; r < 300; ++r) {
    for (std::size_t j = 0; j < 8; ++j) {
      double along = 0;
      for (std::size_t i = 0; i < 40; ++i)
        along += static_cast<double>(sample[r * 40 + i]) * static_cast<double>(after.directions[j * 40 + i]);
      variance[j] += along * along / 300;
    }
  }
  const double all = std::accumulate(variance.begin(), variance.end(), 0.0);
  EXPECT_LT(*std::max_element(variance.begin(), variance.end()), 0.6 * all);
  EXPECT_THROW(with_even_variance(before, 13), std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
