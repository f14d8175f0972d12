// A device against Keras's float64 runs.
#pragma once

#include <gtest/gtest.h>

#include <array>

#include "engine/device.h"
#include "tests/golden/golden.h"

namespace lookalike::test {

inline constexpr std::array<const char*, 3> kGoldenCases = {"photos", "noise", "flat"};
// Those, and four photos: ten steps, no activations.
inline constexpr std::array<const char*, 4> kStepCases = {"photos", "noise", "flat", "four"};

template <class Actual>
void expect_close(const GoldenCase& golden, const Where& where, const std::string& key,
                  const std::vector<float>& expected, const Actual& actual) {
  const double bound = allowed_error(golden, key, expected);
  EXPECT_TRUE(within(where, expected, actual, [bound](std::size_t) { return bound; }));
}

inline void expect_gradient(const GoldenCase& golden, const std::string& operation,
                            const std::vector<float>& flat) {
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const Where where{operation + " " + tensor.name, tensor.shape, golden.name};
    const auto expected = load_tensor(golden, "gradients", tensor);
    const auto actual = std::span(flat).subspan(static_cast<std::size_t>(tensor.offset),
                                                static_cast<std::size_t>(tensor.size()));
    if (nearly_vanishes(golden, tensor))
      EXPECT_TRUE(within(where, expected, actual, [](std::size_t) { return 1e-6; }));
    else
      expect_close(golden, where, "gradient " + tensor.name, expected, actual);
  }
}

// Runs from the case's weights; the weights after ten steps are for stepped_weights.
inline std::vector<float> run_ten_adam_steps(Device& device, const GoldenCase& golden) {
  device.set_parameters(load_parameters(golden, "weights"));
  device.set_optimizer({});
  std::vector<double> losses;
  for (int step = 0; step < 10; ++step) {
    losses.push_back(device.train_step(golden.images, golden.adam));
    if (step > 0) continue;
    // After one step from zero m = (1 - b1) gradient: what the device summed over the batch.
    std::vector<float> gradient = device.optimizer().m;
    for (float& value : gradient) value = static_cast<float>(value / (1.0 - golden.adam.beta_1));
    expect_gradient(golden, "gradient in the device", gradient);
  }
  losses.push_back(device.loss(golden.images));
  EXPECT_EQ(device.optimizer().step, 10);

  const std::vector<double> expected_losses = golden.facts.at("losses");
  const double bound = allowed_error(golden, "losses", expected_losses);
  EXPECT_TRUE(within({"losses before and after ten Adam steps", {11}, golden.name}, expected_losses, losses,
                     [bound](std::size_t) { return bound; }));
  std::vector<float> parameters(kParameterCount, NAN);
  device.get_parameters(parameters);
  return parameters;
}

// expected (kParameterCount): weights after ten steps.
inline ::testing::AssertionResult stepped_weights(const GoldenCase& golden,
                                                  const std::vector<float>& expected,
                                                  const std::vector<float>& actual) {
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const auto part = [&](const std::vector<float>& flat) {
      const auto begin = flat.begin() + tensor.offset;
      return std::vector<float>(begin, begin + tensor.size());
    };
    const Where where{tensor.name + " after ten Adam steps", tensor.shape, golden.name};
    // Exempt: dec3 and dec4 of `flat`. They must still be numbers, and no step is much longer than the
    // rate.
    const double bound = nearly_vanishes(golden, tensor)
                             ? 2 * 10 * 1e-3
                             : allowed_error(golden, "after_adam " + tensor.name, part(expected));
    const auto result = within(where, part(expected), part(actual), [bound](std::size_t) { return bound; });
    if (!result) return result;
  }
  return ::testing::AssertionSuccess();
}

inline void expect_ten_adam_steps(Device& device, const GoldenCase& golden) {
  const std::vector<float> actual = run_ten_adam_steps(device, golden);
  EXPECT_TRUE(stepped_weights(golden, load_parameters(golden, "weights_after_10_adam_steps"), actual));
}

}  // namespace lookalike::test
