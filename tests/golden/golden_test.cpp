// Our kernels and device against Keras's float64 runs, on each instruction set.
#include "tests/golden/golden.h"

#include <gtest/gtest.h>

#include <array>

#include "engine/device.h"
#include "kernels/cpu/autoencoder.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

constexpr std::array<const char*, 3> kCases = {"photos", "noise", "flat"};

class Golden : public TargetTest {
 protected:
  template <class Actual>
  static void expect_close(const GoldenCase& golden, const Where& where, const std::string& key,
                           const std::vector<float>& expected, const Actual& actual) {
    const double bound = allowed_error(golden, key, expected);
    EXPECT_TRUE(within(where, expected, actual, [bound](std::size_t) { return bound; }));
  }

  // `prefix` as in case.json: "gradient " or "after_adam ".
  static void expect_gradient(const GoldenCase& golden, const std::string& operation,
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
};

TEST_P(Golden, Activations) {
  const auto packed = cpu::make_packed_parameters();
  const auto workspace = cpu::make_workspace();
  for (const char* name : kCases) {
    const GoldenCase golden = load_golden(name);
    const std::vector<float> parameters = load_parameters(golden, "weights");
    cpu::pack(std::span<const float, kParameterCount>(parameters), *packed);

    struct Output {
      const char* name;
      float* cpu::Activations::*pointer;
    };
    constexpr std::array<Output, 7> kOutputs = {{{"pool1", &cpu::Activations::pool1},
                                                 {"pool2", &cpu::Activations::pool2},
                                                 {"pool3", &cpu::Activations::pool3},
                                                 {"dec1", &cpu::Activations::dec1},
                                                 {"dec2", &cpu::Activations::dec2},
                                                 {"dec3", &cpu::Activations::dec3},
                                                 {"output", &cpu::Activations::output}}};
    for (const Output& output : kOutputs) {
      const auto expected =
          read_npy<float>(golden_folder(name) / "activations" / (std::string(output.name) + ".npy"));
      std::vector<float> actual(expected.values.size(), NAN);
      const std::size_t size = actual.size() / static_cast<std::size_t>(golden.count);
      for (std::size_t n = 0; n < static_cast<std::size_t>(golden.count); ++n) {
        cpu::Activations activations;
        activations.*output.pointer = actual.data() + n * size;
        cpu::image_activations(*packed, golden.images.data() + n * kImageBytes, *workspace, activations);
      }
      expect_close(golden, {output.name, expected.shape, name}, output.name, expected.values, actual);
    }
  }
}

TEST_P(Golden, LossAndGradient) {
  const auto packed = cpu::make_packed_parameters();
  const auto workspace = cpu::make_workspace();
  for (const char* name : kCases) {
    const GoldenCase golden = load_golden(name);
    const std::vector<float> parameters = load_parameters(golden, "weights");
    cpu::pack(std::span<const float, kParameterCount>(parameters), *packed);
    std::vector<float> slots(static_cast<std::size_t>(golden.count * kParameterCount), NAN);
    std::vector<float> gradient(kParameterCount, NAN);
    double loss = 0.0;
    double loss_of_gradient = 0.0;
    const double elements = static_cast<double>(golden.count * kImageBytes);
    for (std::size_t n = 0; n < static_cast<std::size_t>(golden.count); ++n) {
      const uint8_t* image = golden.images.data() + n * kImageBytes;
      loss += cpu::image_loss(*packed, image, *workspace) / elements;
      loss_of_gradient += cpu::image_gradient(*packed, image, static_cast<float>(1.0 / elements), *workspace,
                                              slots.data() + n * kParameterCount) /
                          elements;
    }
    cpu::sum_slots(slots, gradient);
    const std::vector<double> expected = {golden.facts.at("losses").at(0)};
    const double bound = allowed_error(golden, "losses", expected);
    EXPECT_NEAR(loss, expected[0], bound) << name;
    EXPECT_NEAR(loss_of_gradient, expected[0], bound) << name;
    expect_gradient(golden, "gradient", gradient);
  }
}

TEST_P(Golden, TenAdamSteps) {
  const auto device = make_cpu_device(2);
  for (const char* name : kCases) {
    const GoldenCase golden = load_golden(name);
    device->set_parameters(load_parameters(golden, "weights"));
    device->set_optimizer({});
    std::vector<double> losses;
    for (int step = 0; step < 10; ++step) {
      losses.push_back(device->train_step(golden.images, golden.adam));
      if (step > 0) continue;
      // After one step from zero m = (1 - b1) gradient: what the device summed over the batch.
      std::vector<float> gradient = device->optimizer().m;
      for (float& value : gradient) value = static_cast<float>(value / (1.0 - golden.adam.beta_1));
      expect_gradient(golden, "gradient in the device", gradient);
    }
    losses.push_back(device->loss(golden.images));
    EXPECT_EQ(device->optimizer().step, 10);

    const std::vector<double> expected_losses = golden.facts.at("losses");
    const double bound = allowed_error(golden, "losses", expected_losses);
    EXPECT_TRUE(within({"losses before and after ten Adam steps", {11}, name}, expected_losses, losses,
                       [bound](std::size_t) { return bound; }));

    std::vector<float> parameters(kParameterCount, NAN);
    device->get_parameters(parameters);
    for (const ParameterTensor& tensor : parameter_tensors()) {
      const auto actual =
          std::span(parameters)
              .subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size()));
      const auto expected = load_tensor(golden, "weights_after_10_adam_steps", tensor);
      const Where where{tensor.name + " after ten Adam steps", tensor.shape, name};
      // Exempt: dec3 and dec4 of `flat`. They still must be numbers, no farther than ten steps of the rate
      // from where Keras is.
      if (nearly_vanishes(golden, tensor))
        EXPECT_TRUE(within(where, expected, actual, [](std::size_t) { return 2 * 10 * 1e-3; }));
      else
        expect_close(golden, where, "after_adam " + tensor.name, expected, actual);
    }
  }
}

LOOKALIKE_FOR_EACH_TARGET(Golden);

}  // namespace
}  // namespace lookalike::test
