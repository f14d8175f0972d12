// Every dot product within its stated error of the exact one, on every instruction set.
#include "kernels/cpu/dot_products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::cpu {
namespace {

using DotProducts = test::TargetTest;

TEST_P(DotProducts, AreWithinTheirErrorOfTheExactOnes) {
  std::mt19937 generator(7);
  for (const float spread : {1.0F, 1e-22F, 1e15F}) {
    std::normal_distribution<float> normal(0.5F * spread, spread);
    for (const int64_t dimension : {1, 7, 8, 15, 16, 17, 63, 100, 2888}) {
      for (const int64_t queries : {1, 2, 3, 4, 7}) {
        for (const int64_t rows : {1, 3, 4, 5, 9}) {
          std::vector<float> q(static_cast<std::size_t>(queries * dimension));
          std::vector<float> r(static_cast<std::size_t>(rows * dimension));
          for (float& value : q) value = normal(generator);
          for (float& value : r) value = normal(generator);
          std::vector<float> dots(static_cast<std::size_t>(queries * rows) + 1, -1.5F);
          dot_products(q.data(), queries, r.data(), rows, dimension, dots.data());
          EXPECT_EQ(dots.back(), -1.5F) << "written past the end";
          for (int64_t a = 0; a < queries; ++a) {
            for (int64_t b = 0; b < rows; ++b) {
              long double exact = 0, q_length = 0, r_length = 0;
              for (int64_t i = 0; i < dimension; ++i) {
                const long double x = q[static_cast<std::size_t>(a * dimension + i)];
                const long double y = r[static_cast<std::size_t>(b * dimension + i)];
                exact += x * y;
                q_length += x * x;
                r_length += y * y;
              }
              const double bound =
                  dot_product_error(dimension, static_cast<double>(sqrtl(q_length * r_length)));
              const long double got = dots[static_cast<std::size_t>(a * rows + b)];
              ASSERT_LE(std::fabs(got - exact), bound)
                  << "dimension " << dimension << ", query " << a << " of " << queries << ", row " << b
                  << " of " << rows << ", spread " << spread;
              // The bound is worth having: well under what codes differ by.
              if (spread == 1.0F) {
                ASSERT_LT(bound, 3e-4 * static_cast<double>(sqrtl(q_length * r_length)));
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(DotProducts, OfDoublesAreWithinTheirErrorOfTheExactOnes) {
  test::Random random(8);
  for (const int64_t dimension : {1, 3, 7, 8, 9, 100, 2888}) {
    for (const int64_t queries : {1, 2, 4}) {
      for (const int64_t rows : {1, 4, 5}) {
        std::vector<double> q(static_cast<std::size_t>(queries * dimension));
        std::vector<double> r(static_cast<std::size_t>(rows * dimension));
        for (double& value : q) value = random.between(-1, 2);
        for (double& value : r) value = random.between(-1, 2);
        std::vector<double> dots(static_cast<std::size_t>(queries * rows) + 1, -1.5);
        dot_products(q.data(), queries, r.data(), rows, dimension, dots.data());
        EXPECT_EQ(dots.back(), -1.5) << "written past the end";
        for (int64_t a = 0; a < queries * rows; ++a) {
          long double exact = 0, q_length = 0, r_length = 0;
          for (int64_t i = 0; i < dimension; ++i) {
            const long double x = q[static_cast<std::size_t>(a / rows * dimension + i)];
            const long double y = r[static_cast<std::size_t>(a % rows * dimension + i)];
            exact += x * y;
            q_length += x * x;
            r_length += y * y;
          }
          const auto bound =
              static_cast<long double>(dimension + 1) * 0x1p-53L * 1.01L * sqrtl(q_length * r_length);
          const long double got = dots[static_cast<std::size_t>(a)];
          ASSERT_LE(std::fabs(got - exact), bound) << "dimension " << dimension << ", pair " << a;
        }
      }
    }
  }
}

LOOKALIKE_FOR_EACH_TARGET(DotProducts);

TEST(DotProductError, IsInfiniteWhereFloatMayOverflow) {
  EXPECT_TRUE(std::isinf(dot_product_error(8, 2e38)));
  EXPECT_TRUE(std::isinf(dot_product_error(8, std::nan(""))));
  EXPECT_TRUE(std::isfinite(dot_product_error(8, 1e37)));
}

}  // namespace
}  // namespace lookalike::cpu
