#include <gtest/gtest.h>

#include "tests/reference/adam.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike::reference {
namespace {

// Worked by hand: with g the same in every step m / (1 - b1^t) = g and v / (1 - b2^t) = g^2, so only epsilon
// tells a step from rate * sign(g). (Keras adds it before the correction of v: it acts as
// epsilon / sqrt(1 - b2^t).)
TEST(Adam, TakesStepsOfTheRateAndPlacesEpsilonAsKeras) {
  const AdamOptions options;
  const std::vector<double> gradient = {2.0, -3.0, 1e-7, 0.0};
  std::vector<double> parameters(4);
  std::vector<double> m(4), v(4);
  std::vector<double> expected(4);
  for (int64_t step = 1; step <= 5; ++step) {
    adam_step(options, step, gradient, parameters, m, v);
    const double correction = std::sqrt(1.0 - std::pow(0.999, static_cast<double>(step)));
    for (std::size_t i = 0; i < 4; ++i) {
      expected[i] -= 1e-3 * gradient[i] / (std::abs(gradient[i]) + 1e-7 / correction);
      // Betas rounded to float32 move b2's correction by 6.4e-6, b1's by at most 2.4e-7.
      EXPECT_NEAR(parameters[i], expected[i], 7e-6 * std::abs(expected[i])) << "step " << step << ", " << i;
    }
  }
  // The size of the first step, 1e-3 in plain Adam, with Keras's rounding:
  // float32(1e-3) sqrt(1 - float32(0.999)) / (1 - float32(0.9)) * 0.1 * 2 / (sqrt(0.001 * 4) + 1e-7)
  std::vector<double> one(1), first_m(1), first_v(1);
  adam_step(options, 1, std::vector<double>{2.0}, one, first_m, first_v);
  EXPECT_NEAR(one[0], -9.99991791e-4, 1e-12);
}

TEST(Distance, TheDefinitionIsCloseToTheExactSum) {
  for (const int64_t dimension : {0, 1, 7, 8, 9, 40, 2888}) {
    const auto a = lookalike::test::random_floats(dimension, -2.0, 2.0, 31);
    const auto b = lookalike::test::random_floats(dimension, -2.0, 2.0, 32);
    const long double exact = exact_squared_distance(a, b);
    // Rounding of subtraction (twice through the square), square and at most dimension / 8 + 3 additions.
    const double bound = (static_cast<double>(dimension) / 8.0 + 6.0) * 0x1p-53 * static_cast<double>(exact);
    EXPECT_NEAR(squared_distance(a, b), static_cast<double>(exact), bound);
    EXPECT_EQ(squared_distance(a, b), squared_distance(b, a));
    EXPECT_EQ(squared_distance(a, a), 0.0);
  }
}

TEST(Distance, TheOrderOfAdditionIsTheDefinitions) {
  // Sums that round differently in any other order: 1 is lost beside 2^54 unless it meets its equals first.
  std::vector<float> a(16, 0.0F);
  const std::vector<float> zero(16, 0.0F);
  a[0] = 0x1p27F;  // acc 0: 2^54, then + 1 rounds to even: 2^54
  a[8] = 1.0F;
  a[1] = 1.0F;  // acc 1: 1 + 1 = 2; acc 0 + acc 1 = 2^54 + 2, halfway to 2^54 + 4: 2^54
  a[9] = 1.0F;
  a[2] = a[3] = 1.4142135F;  // acc 2 + acc 3: just under 4
  EXPECT_EQ(squared_distance(a, zero), 0x1p54 + 4.0);
}

TEST(Nearest, EqualDistancesComeInRowOrder) {
  const std::vector<float> query = {0.0F};
  const std::vector<float> rows = {2.0F, -1.0F, 1.0F, -2.0F, 0.0F, 1.0F};
  const auto best = nearest(query, rows, 5);
  const std::vector<Neighbour> expected = {{0.0, 4}, {1.0, 1}, {1.0, 2}, {1.0, 5}, {4.0, 0}};
  EXPECT_EQ(best, expected);
  EXPECT_EQ(nearest(query, rows, 9).size(), 6U);
  const std::vector<uint8_t> allowed = {1, 0, 1, 1, 0, 1};
  EXPECT_EQ(nearest(query, rows, 2, allowed), (std::vector<Neighbour>{{1.0, 2}, {1.0, 5}}));
}

}  // namespace
}  // namespace lookalike::reference
