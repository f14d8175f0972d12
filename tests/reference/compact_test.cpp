#include "tests/reference/compact.h"

#include <gtest/gtest.h>

#include "tests/support/inputs.h"

namespace lookalike::reference {
namespace {

// A cross about (1, 1): 2 along the first axis, 1 along the second, so variances 2 and 1/2.
const std::vector<float> kCross = {3, 1, -1, 1, 1, 2, 1, 0};

TEST(Compact, WorkedByHand) {
  const PrincipalDirections found = principal_directions(kCross, 2);
  EXPECT_EQ(found.mean, (std::vector<Extended>{1, 1}));
  EXPECT_EQ(found.variances, (std::vector<Extended>{2, 0.5L}));
  EXPECT_EQ(std::abs(found.directions[0][0]), 1);
  EXPECT_EQ(std::abs(found.directions[1][1]), 1);

  const std::vector<std::vector<Extended>> axes = {{1, 0}, {0, 1}};
  const std::vector<Extended> deviations = {std::sqrt(2.0L), std::sqrt(0.5L)};
  const auto of = [&](float x, float y) {
    return compact(std::vector<float>{x, y}, found.mean, axes, deviations);
  };
  EXPECT_EQ(of(3, 1), (std::vector<Extended>{1, 0}));
  EXPECT_EQ(of(1, -7), (std::vector<Extended>{0, -1}));
  // (2, 1) from the mean is (sqrt 2, sqrt 2) whitened, so half way between the axes.
  EXPECT_NEAR(static_cast<double>(of(3, 2)[0]), std::sqrt(0.5), 1e-16);
  EXPECT_NEAR(static_cast<double>(of(3, 2)[1]), std::sqrt(0.5), 1e-16);
  EXPECT_EQ(of(1, 1), (std::vector<Extended>{0, 0})) << "the mean has no direction";
}

TEST(Compact, ComponentWithoutDeviationIsZero) {
  const std::vector<std::vector<Extended>> axes = {{1, 0}, {0, 1}};
  const std::vector<Extended> mean = {0, 0}, deviations = {2, 0};
  EXPECT_EQ(compact(std::vector<float>{-4, 5}, mean, axes, deviations), (std::vector<Extended>{-1, 0}));
  EXPECT_EQ(compact(std::vector<float>{0, 5}, mean, axes, deviations), (std::vector<Extended>{0, 0}));
}

TEST(Compact, EigenvectorsGiveTheMatrixBack) {
  constexpr std::size_t kSize = 9;
  std::vector<std::vector<Extended>> matrix(kSize, std::vector<Extended>(kSize));
  test::Random random(3);
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j <= i; ++j) matrix[i][j] = matrix[j][i] = random.between(-1, 1);
  }
  const auto [vectors, values] = eigen(matrix);
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_LE(values[i], values[i == 0 ? 0 : i - 1]);
    for (std::size_t j = 0; j < kSize; ++j) {
      Extended back = 0, product = 0;
      for (std::size_t k = 0; k < kSize; ++k) {
        back += vectors[k][i] * values[k] * vectors[k][j];
        product += vectors[i][k] * vectors[j][k];
      }
      EXPECT_NEAR(static_cast<double>(back), static_cast<double>(matrix[i][j]), 1e-16);
      EXPECT_NEAR(static_cast<double>(product), i == j ? 1 : 0, 1e-16);
    }
  }
}

}  // namespace
}  // namespace lookalike::reference
