// Fine sketches: what is said of a row's rounding holds, and with it comparisons in float give lower bounds.
#include "engine/sketch_fine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/cpu/sketch_distance.h"
#include "tests/reference/sketch.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike {
namespace {

using Rows = std::vector<float>;
using reference::Extended;

struct Case {
  const char* name;
  Rows rows;  // (S, size)
  int64_t size;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"random", test::random_floats(70 * 37, -1, 1, 1), 37});
  all.push_back({"one number", test::random_floats(20, -5, 5, 3), 1});
  all.push_back({"far from zero", test::random_floats(40 * 20, 9.999, 10.001, 4), 20});
  all.push_back({"below normal", test::random_floats(40 * 20, -1e-41, 1e-41, 5), 20});
  all.push_back({"large", test::random_floats(40 * 20, -1e37, 1e37, 6), 20});
  all.push_back({"zeros", Rows(400, 0.0F), 20});
  Rows huge = test::random_floats(60 * 20, -1, 1, 2);
  std::fill_n(huge.begin() + 40, 20, std::numeric_limits<float>::max());
  all.push_back({"one huge row", huge, 20});
  return all;
}

std::span<const float> row_of(const Case& c, int64_t row) {
  return std::span(c.rows).subspan(static_cast<std::size_t>(row * c.size), static_cast<std::size_t>(c.size));
}

std::vector<FineSketcher> sketchers_for(const Case& c) {
  const FineSketcher fitted = fit_fine_sketcher(c.rows, c.size);
  std::vector<FineSketcher> all{fitted};
  // A coarse step, one that clips nearly all, and none.
  for (const float factor : {40.0F, 0.002F, 0.0F}) {
    Rows step = fitted.step();
    for (float& value : step) value = std::min(0x1p120F, value * factor);
    all.emplace_back(fitted.centre(), step);
  }
  return all;
}

class FineSketch : public test::TargetTest {};

TEST_P(FineSketch, ErrsByNoMoreThanItSaysAndGivesLowerBounds) {
  for (const Case& c : cases()) {
    const int64_t count = std::ssize(c.rows) / c.size;
    for (const FineSketcher& sketcher : sketchers_for(c)) {
      std::vector<int8_t> bytes(static_cast<std::size_t>(c.size));
      Rows query(static_cast<std::size_t>(c.size));
      for (int64_t r = 0; r < count; ++r) {
        const double error = sketcher.row(row_of(c, r), bytes.data());
        const auto held = reference::held_sketch(row_of(c, r), sketcher.centre(), sketcher.step());
        Extended lost = 0, most = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
          const Extended apart = held[i] - Extended{sketcher.step()[i]} * bytes[i];
          lost += apart * apart;
          most += Extended{sketcher.step()[i]} * Extended{sketcher.step()[i]} / 4;
        }
        ASSERT_LE(std::sqrt(lost), Extended{error}) << c.name << ", row " << r;
        // Half a step for each number is the most that rounding loses.
        ASSERT_LE(Extended{error}, std::sqrt(most) * (1 + 1e-6L)) << c.name << ", row " << r;
        for (int64_t q = 0; q < count; q += 3) {
          sketcher.query(row_of(c, q), query);
          const float computed =
              cpu::sketch_distance(query.data(), sketcher.step().data(), bytes.data(), c.size);
          const double least = std::sqrt(cpu::least_sketch_distance(computed, c.size));
          const auto of_query = reference::held_sketch(row_of(c, q), sketcher.centre(), sketcher.step());
          const Extended clipped = reference::sketch_distance<Extended>(of_query, held);
          const Extended whole = reference::sketch_distance<float>(row_of(c, q), row_of(c, r));
          ASSERT_LE(clipped, whole * (1 + 1e-18L));
          ASSERT_LE(Extended{least} - Extended{error} - Extended{sketcher.rounding()}, clipped)
              << c.name << ": " << q << ", " << r;
        }
      }
    }
  }
}
LOOKALIKE_FOR_EACH_TARGET(FineSketch);

TEST(FitFineSketcher, ClipsFewAndIsNotLedByRowsOutOfTheOrdinary) {
  Rows rows = test::random_floats(1000 * 20, -1, 1, 3);
  const FineSketcher before = fit_fine_sketcher(rows, 20);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_NEAR(before.step()[i], 1.0F / 127, 0.1F / 127);
  for (std::size_t r = 0; r < 1000; r += 200) rows[r * 20] = 1e9F;
  const FineSketcher after = fit_fine_sketcher(rows, 20);
  EXPECT_NEAR(after.step()[0], 1.0F / 127, 0.1F / 127);
  EXPECT_LT(std::abs(after.centre()[0]), 0.2F);
}

// Where nearly all rows are equal, the others set the step.
TEST(FitFineSketcher, KeepsAStepForRareNumbers) {
  Rows rows(1000, 0.0F);
  rows[500] = 127.0F;
  EXPECT_EQ(fit_fine_sketcher(rows, 1).step()[0], 1.0F);
}

TEST(FineSketcher, RefusesWhatIsNoScale) {
  EXPECT_THROW(FineSketcher({}, {}), std::invalid_argument);
  EXPECT_THROW(FineSketcher({0}, {1, 1}), std::invalid_argument);
  EXPECT_THROW(FineSketcher({0}, {-1}), std::invalid_argument);
  EXPECT_THROW(FineSketcher({0}, {std::nanf("")}), std::invalid_argument);
  EXPECT_THROW(FineSketcher({0}, {0x1p121F}), std::invalid_argument);
  EXPECT_THROW(FineSketcher({HUGE_VALF}, {1}), std::invalid_argument);
  EXPECT_THROW(fit_fine_sketcher({}, 3), std::invalid_argument);
  int8_t bytes[4];
  EXPECT_THROW(FineSketcher({0, 0, 0}, {1, 1, 1}).row(Rows(2, 0.0F), bytes), std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
