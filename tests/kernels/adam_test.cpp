#include "kernels/cpu/adam.h"

#include <gtest/gtest.h>

#include "tests/reference/adam.h"
#include "tests/support/compare.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

constexpr double kUlp = 0x1p-24;  // half an ulp, relative

struct State {
  std::vector<float> parameters, m, v;
};

// Steps from one state in float and in double, the double's state rounded to float after each, so that the
// comparison is of one step.
void expect_steps(int64_t length, const AdamOptions& options, const std::vector<float>& gradient,
                  uint64_t seed) {
  State state{random_floats(length, -1.0, 1.0, seed), std::vector<float>(gradient.size()),
              std::vector<float>(gradient.size())};
  for (const int64_t step : {1, 2, 3, 10, 1000, 100000}) {
    auto parameters = doubles(state.parameters);
    auto m = doubles(state.m);
    auto v = doubles(state.v);
    reference::adam_step(options, step, doubles(gradient), parameters, m, v);

    Guarded<float> actual_parameters(length), actual_m(length), actual_v(length);
    std::copy(state.parameters.begin(), state.parameters.end(), actual_parameters.data());
    std::copy(state.m.begin(), state.m.end(), actual_m.data());
    std::copy(state.v.begin(), state.v.end(), actual_v.data());
    cpu::adam_step(options, step, gradient, actual_parameters.span(), actual_m.span(), actual_v.span());
    EXPECT_TRUE(actual_parameters.intact() && actual_m.intact() && actual_v.intact());

    // m and v: b old + (1 - b) g with at most four roundings, to float, of terms no larger than these sizes;
    // or to the smallest denormal. The step: that error of m and v, and six roundings more.
    const Where where{"Adam", {length}, "seed " + std::to_string(seed) + ", step " + std::to_string(step)};
    const auto m_size = [&](std::size_t i) {
      return std::abs(0.9 * state.m[i]) + std::abs(0.1 * gradient[i]);
    };
    EXPECT_TRUE(
        within(where, m, actual_m.copy(), [&](std::size_t i) { return 4 * kUlp * m_size(i) + 0x1p-149; }));
    EXPECT_TRUE(within(where, v, actual_v.copy(), [&](std::size_t i) { return 4 * kUlp * v[i] + 0x1p-149; }));
    EXPECT_TRUE(within(where, parameters, actual_parameters.copy(), [&](std::size_t i) {
      const double before = state.parameters[i];
      const double size = std::abs(parameters[i] - before) + std::abs(before);
      const double rate = std::abs(parameters[i] - before) / (std::abs(m[i]) + 1e-300);
      return kUlp * size + kUlp * (4 * rate * m_size(i) + 10 * std::abs(parameters[i] - before)) + 0x1p-149;
    }));
    state = {actual_parameters.copy(), actual_m.copy(), actual_v.copy()};
  }
}

TEST(Adam, MatchesTheReference) {
  for (const int64_t length : {0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 4963})
    expect_steps(length, {}, random_floats(length, -1e-2, 1e-2, 101), 102);
}

TEST(Adam, OtherOptions) {
  expect_steps(17, {.learning_rate = 0.5, .beta_1 = 0.5, .beta_2 = 0.75, .epsilon = 1e-3},
               random_floats(17, -1.0, 1.0, 103), 104);
}

TEST(Adam, GradientsOfEverySize) {
  const std::vector<float> gradient = {0.0F,  -0.0F, 1e-30F, -1e-20F, 1e-12F, -1e-7F,
                                       1e-3F, 1.0F,  -1e3F,  1e9F,    -1e15F};
  expect_steps(std::ssize(gradient), {}, gradient, 105);
}

TEST(Adam, ZeroGradientChangesNothing) {
  std::vector<float> parameters = random_floats(9, -1.0, 1.0, 106);
  const std::vector<float> before = parameters;
  std::vector<float> m(9), v(9);
  cpu::adam_step({}, 1, std::vector<float>(9), parameters, m, v);
  EXPECT_EQ(parameters, before);
}

TEST(Adam, NotANumberStaysVisible) {
  std::vector<float> parameters(9, 1.0F), m(9), v(9), gradient(9, 0.5F);
  gradient[4] = NAN;
  cpu::adam_step({}, 1, gradient, parameters, m, v);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(std::isnan(parameters[i]), i == 4) << i;
}

// The order of addition is part of the definition: the bytes must be those of this loop.
TEST(SumSlots, AddsInSlotOrder) {
  for (const int64_t length : {1, 7, 16, 33, 4963})
    for (const int64_t slots : {1, 2, 3, 32, 33}) {
      const std::vector<float> values = random_floats(slots * length, -1.0, 1.0, 107);
      std::vector<float> expected(values.begin(), values.begin() + length);
      for (int64_t slot = 1; slot < slots; ++slot)
        for (int64_t i = 0; i < length; ++i)
          expected[static_cast<std::size_t>(i)] += values[static_cast<std::size_t>(slot * length + i)];
      Guarded<float> actual(length);
      cpu::sum_slots(values, actual.span());
      EXPECT_TRUE(actual.intact());
      EXPECT_TRUE(same_bytes<float>({"sum_slots", {length}, std::to_string(slots) + " slots, seed 107"},
                                    expected, actual.span()));
    }
}

TEST(SumSlots, NoSlotsSumToZero) {
  std::vector<float> sum(5, 3.0F);
  cpu::sum_slots({}, sum);
  EXPECT_EQ(sum, std::vector<float>(5, 0.0F));
}

}  // namespace
}  // namespace lookalike::test
