// Our kernels and device against Keras's float64 runs, on each instruction set.
#include <gtest/gtest.h>

#include <array>

#include "engine/device.h"
#include "kernels/cpu/autoencoder.h"
#include "tests/golden/golden_device.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

class Golden : public TargetTest {};

TEST_P(Golden, Activations) {
  const auto packed = cpu::make_packed_parameters();
  const auto workspace = cpu::make_workspace();
  for (const char* name : kGoldenCases) {
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
  for (const char* name : kStepCases) {
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
  for (const char* name : kStepCases) expect_ten_adam_steps(*device, load_golden(name));
}

LOOKALIKE_FOR_EACH_TARGET(Golden);

}  // namespace
}  // namespace lookalike::test
