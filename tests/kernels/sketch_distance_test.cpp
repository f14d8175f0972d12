// What is said of a distance computed in float holds of the exact one, and is not far below it.
#include "kernels/cpu/sketch_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::cpu {
namespace {

using SketchDistance = test::TargetTest;

TEST_P(SketchDistance, IsWithinItsBound) {
  int above = 0;
  for (const double spread : {1.0, 1e-6, 1e-22, 1e-40, 1e15}) {
    for (const int64_t n : {1, 2, 7, 16, 63, 64, 65, 129, 256, 1000}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        const auto query = test::random_floats(n, -spread, spread, seed);
        const auto step = test::random_floats(n, 0, spread / 100, 1000 + seed);
        const auto places = test::random_floats(n, -127, 127, 2000 + seed);
        std::vector<int8_t> row;
        for (const float place : places) row.push_back(static_cast<int8_t>(place));
        long double exact = 0, steps = 0;
        for (std::size_t i = 0; i < row.size(); ++i) {
          const long double step_of = step[i], apart = query[i] - step_of * row[i];
          exact += apart * apart;
          steps += step_of * step_of;
        }
        const double rounding = sketch_distance_rounding(static_cast<double>(std::sqrt(steps)));
        const float computed = sketch_distance(query.data(), step.data(), row.data(), n);
        const double least = least_sketch_distance(computed, n);
        ASSERT_LE(std::sqrt(static_cast<long double>(least)) - static_cast<long double>(rounding),
                  std::sqrt(exact))
            << spread << ", " << n;
        ASSERT_GE(
            std::sqrt(static_cast<long double>(least)) + 2 * static_cast<long double>(rounding) + 1e-17L,
            std::sqrt(exact * (1 - 3e-7L * static_cast<long double>(n + 6))))
            << spread << ", " << n;
        if (static_cast<long double>(computed) > exact) ++above;
      }
    }
  }
  EXPECT_GT(above, 100) << "the rounding would not show";
}

// All but the last bits of a product go: what is left is its rounding, where it is not fused.
TEST_P(SketchDistance, RoundingOfAProductIsAllowedFor) {
  for (const auto& values : {std::pair{0.1F, 127}, std::pair{0.3F, 101}, std::pair{1 / 3.0F, 125}}) {
    const float step = values.first;
    const auto row = static_cast<int8_t>(values.second);
    const auto product = static_cast<double>(step) * values.second;
    float query = static_cast<float>(product);
    if (static_cast<double>(query) == product) query = std::nextafter(query, 1e30F);
    for (const float at : {query, std::nextafter(query, 1e30F)}) {
      const double exact = std::abs(static_cast<double>(at) - product);
      const double least = std::sqrt(least_sketch_distance(sketch_distance(&at, &step, &row, 1), 1));
      EXPECT_LE(least - sketch_distance_rounding(static_cast<double>(step)), exact);
      EXPECT_LT(sketch_distance_rounding(static_cast<double>(step)), 1e-5 * static_cast<double>(step));
    }
  }
}

TEST_P(SketchDistance, IsFiniteWhereFloatHasNoRoom) {
  const std::vector<float> query(40, 1e38F), step(40, 0x1p119F);
  const std::vector<int8_t> far(40, -127), none(40, 0);
  const std::vector<float> origin(40, 0.0F);
  const double least = least_sketch_distance(sketch_distance(query.data(), step.data(), far.data(), 40), 40);
  EXPECT_GT(least, 3.4e38);
  EXPECT_LE(least, static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(least_sketch_distance(sketch_distance(origin.data(), step.data(), none.data(), 40), 40), 0.0);
}

LOOKALIKE_FOR_EACH_TARGET(SketchDistance);

}  // namespace
}  // namespace lookalike::cpu
