// What is said of a distance computed in float holds of the exact one, and is not far below it.
#include "kernels/cpu/sketch_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/reference/distance.h"
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
        const auto a = test::random_floats(n, -spread, spread, seed);
        const auto b = test::random_floats(n, -spread, spread, 1000 + seed);
        const long double exact = reference::exact_squared_distance(a, b);
        const float computed = sketch_distance(a.data(), b.data(), n);
        const double least = least_sketch_distance(computed, n);
        ASSERT_LE(static_cast<long double>(least), exact) << spread << ", " << n;
        ASSERT_GE(static_cast<long double>(least) + 1e-34L,
                  exact * (1 - 3e-7L * static_cast<long double>(n + 6)))
            << spread << ", " << n;
        if (static_cast<long double>(computed) > exact) ++above;
      }
    }
  }
  EXPECT_GT(above, 100) << "the rounding would not show";
}

TEST_P(SketchDistance, IsFiniteWhereFloatHasNoRoom) {
  const std::vector<float> a(40, std::numeric_limits<float>::max()),
      b(40, -std::numeric_limits<float>::max());
  const double least = least_sketch_distance(sketch_distance(a.data(), b.data(), 40), 40);
  EXPECT_GT(least, 3.4e38);
  EXPECT_LE(least, static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(least_sketch_distance(sketch_distance(a.data(), a.data(), 40), 40), 0.0);
}

LOOKALIKE_FOR_EACH_TARGET(SketchDistance);

}  // namespace
}  // namespace lookalike::cpu
