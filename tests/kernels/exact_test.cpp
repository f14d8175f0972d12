// Weights and images for which every float sum is an exact integer (or half of one), so kernels must equal
// the reference in every bit: no tolerance hides a border, a tap, the order of equals in a window.
#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/reference/autoencoder.h"
#include "tests/support/inputs.h"
#include "tests/support/runs.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

// Integers up to this, and sums of them whose absolute values add up to less, are exact in float.
constexpr double kExact = 0x1p24;

double largest_value(const std::vector<double>& values) {
  double result = 0.0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

reference::Tensor target(const std::vector<uint8_t>& image) {
  return reference::unit_image(image, kImageSize, kImageChannels);
}

// Integer kernels: all taps of {-1, 0, 1} in the `dense` stages; elsewhere each output channel copies one
// tap. enc1's are multiples of 255, so that 1/255 leaves integers.
std::vector<float> integer_parameters(std::initializer_list<std::string_view> dense, uint64_t seed) {
  Random random(seed);
  std::vector<float> parameters(kParameterCount);
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    const float unit = s == 0 ? 255.0F : 1.0F;
    float* kernel = parameters.data() + kernel_offset(s);
    if (std::find(dense.begin(), dense.end(), stage.name) != dense.end())
      for (int i = 0; i < stage.kernel_count(); ++i)
        kernel[i] = unit * static_cast<float>(random.below(3) - 1);
    else
      for (int k = 0; k < stage.out_channels; ++k)
        kernel[random.below(kTaps * stage.in_channels) * stage.out_channels + k] = unit;
    for (int k = 0; k < stage.out_channels; ++k)
      parameters[static_cast<std::size_t>(bias_offset(s) + k)] = static_cast<float>(random.below(5) - 2);
  }
  return parameters;
}

// The largest sum of absolute values in the forward pass, of everything before the sigmoid.
double forward_size(const std::vector<float>& parameters, const std::vector<uint8_t>& image) {
  std::vector<double> sizes = doubles(parameters);
  for (double& value : sizes) value = std::abs(value);
  double size = 0.0;
  for (const auto& stage : reference::forward(kStages, sizes, target(image)).stages)
    size = std::max(size, largest_value(stage.preactivation.values));
  return size;
}

void expect_exact_activations(const std::vector<float>& parameters, const NamedImage& image) {
  ASSERT_LT(forward_size(parameters, image.bytes), kExact) << image.name << ": the case itself is not exact";
  const reference::Trace trace = reference::forward(kStages, doubles(parameters), target(image.bytes));
  for (const int64_t instruction_set : supported_targets()) {
    const UseTarget use(instruction_set);
    Kernels kernels(parameters);
    const auto actual = kernels.activations(image.bytes);
    const std::string inputs = image.name + ", " + hwy::TargetName(instruction_set);
    for (std::size_t s = 0; s + 1 < kStages.size(); ++s) {
      const reference::Tensor& expected = trace.stages[s].output();
      EXPECT_TRUE(
          equal({std::string(kStages[s].name), {expected.height, expected.width, expected.channels}, inputs},
                expected.values, actual[s]));
    }
    const reference::Tensor& code = trace.stages[kEncoderStages - 1].output();
    EXPECT_TRUE(equal({"encode_image", {code.height, code.width, code.channels}, inputs}, code.values,
                      kernels.encode(image.bytes)));
    // The logits are exact; what is left is the sigmoid's own error, a few units in the last place.
    EXPECT_TRUE(within({"output", {kImageSize, kImageSize, kImageChannels}, inputs},
                       trace.probabilities.values, actual[6], [](std::size_t) { return 16 * 0x1p-24; }));
  }
}

// Bytes 0 .. 15, so that three dense stages stay exact: 15 * 27 * 144 * 72 is 4.2e6.
NamedImage dim_noise(uint64_t seed) {
  NamedImage image{"noise of 0 .. 15, seed " + std::to_string(seed), random_image(seed)};
  for (uint8_t& byte : image.bytes) byte = static_cast<uint8_t>(byte % 16);
  return image;
}

TEST(Exact, EncoderWithDenseKernels) {
  for (const uint64_t seed : {41U, 42U, 43U})
    expect_exact_activations(integer_parameters({"enc1", "enc2", "enc3"}, seed), dim_noise(seed));
}

TEST(Exact, DecoderWithDenseKernels) {
  expect_exact_activations(integer_parameters({"dec1", "dec2"}, 44), dim_noise(44));
  expect_exact_activations(integer_parameters({"dec2", "dec3"}, 45), dim_noise(45));
  expect_exact_activations(integer_parameters({"dec3", "dec4"}, 46), dim_noise(46));
}

TEST(Exact, AwkwardImages) {
  const auto parameters = integer_parameters({"enc2"}, 47);
  for (const NamedImage& image : awkward_images()) expect_exact_activations(parameters, image);
}

// Parameters for an exact gradient. Even and odd channels are two copies of one network, which dec4
// subtracts: every logit is 0, every probability a half, and images of 0 and 255 give gradients of +-1/2,
// opposite in the copies. enc1 makes bits of its bytes, relu(255 x - 254), so later stages hold small
// integers and windows full of ties. The next stage uses every channel, through one tap; one more tap a
// channel in the stage `rich`.
std::vector<float> half_gradient_parameters(int rich, uint64_t seed) {
  Random random(seed);
  std::vector<float> parameters(kParameterCount);
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    float* bias = parameters.data() + bias_offset(s);
    const auto kernel = [&](int64_t tap, int64_t c, int64_t k) -> float& {
      return parameters[static_cast<std::size_t>(kernel_offset(s) +
                                                 (tap * stage.in_channels + c) * stage.out_channels + k)];
    };
    const bool logits = stage.tail == Tail::kSigmoid;
    const int inputs = s == 0 ? stage.in_channels : stage.in_channels / 2;
    const int outputs = logits ? stage.out_channels : stage.out_channels / 2;
    const int taps = (inputs + outputs - 1) / outputs + (s == rich ? 1 : 0);
    for (int k = 0; k < outputs; ++k) {
      for (int i = 0; i < taps; ++i) {
        const int64_t tap = random.below(kTaps);
        const int64_t c = (k * taps + i) % inputs;
        const float sign = i % 3 == 1 ? -1.0F : 1.0F;
        if (s == 0) {
          kernel(tap, c, 2 * k) = kernel(tap, c, 2 * k + 1) = 255.0F;
        } else if (logits) {
          kernel(tap, 2 * c, k) = sign;
          kernel(tap, 2 * c + 1, k) = -sign;
        } else {
          kernel(tap, 2 * c, 2 * k) = kernel(tap, 2 * c + 1, 2 * k + 1) = sign;
        }
      }
      if (!logits) bias[2 * k] = bias[2 * k + 1] = s == 0 ? -254.0F : static_cast<float>(random.below(2));
    }
  }
  return parameters;
}

TEST(Exact, Gradient) {
  std::vector<NamedImage> images = {checkered_image(1),
                                    checkered_image(2),
                                    checkered_image(5),
                                    {"all 0", std::vector<uint8_t>(kImageBytes, 0)},
                                    {"all 255", std::vector<uint8_t>(kImageBytes, 255)},
                                    pixel_image(0, 0),
                                    pixel_image(149, 149),
                                    pixel_image(0, 149),
                                    pixel_image(149, 0),
                                    pixel_image(75, 74)};
  for (const uint64_t seed : {51U, 52U, 53U}) {
    images.push_back({"bits, seed " + std::to_string(seed), random_image(seed)});
    for (uint8_t& byte : images.back().bytes) byte = byte % 2 == 0 ? 0 : 255;
  }
  std::vector<double> touched(kParameterCount);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto parameters = half_gradient_parameters(1 + static_cast<int>(i) % (kStageCount - 1), 60 + i);
    const reference::Tensor t = target(images[i].bytes);
    const reference::Trace trace = reference::forward(kStages, doubles(parameters), t);
    ASSERT_EQ(largest_value(trace.stages.back().preactivation.values), 0.0);

    // In halves, so that the whole backward pass counts integers.
    std::vector<double> sizes = doubles(parameters);
    for (double& value : sizes) value = std::abs(value);
    reference::Tensor halves = reference::logits_gradient(trace.probabilities, t, kBorder, 2.0);
    for (double& value : halves.values) value = std::abs(value);
    ASSERT_LT(largest_value(reference::backward(kStages, sizes, trace, halves)), kExact) << images[i].name;

    const auto expected = reference::loss_and_gradient(kStages, doubles(parameters), t, 1.0).gradient;
    for (std::size_t p = 0; p < expected.size(); ++p) touched[p] += std::abs(expected[p]);
    for (const int64_t instruction_set : supported_targets()) {
      const UseTarget use(instruction_set);
      std::vector<float> actual;
      Kernels(parameters).gradient(images[i].bytes, 1.0F, actual);
      for (int s = 0; s < kStageCount; ++s) {
        const Stage& stage = kStages[static_cast<std::size_t>(s)];
        const std::string inputs = images[i].name + ", " + hwy::TargetName(instruction_set);
        const auto part = [](const auto& all, int first, int count) {
          return std::span(all).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
        };
        const auto kernel = part(expected, kernel_offset(s), stage.kernel_count());
        // enc1's sums are of bytes, exact, and then divided by 255 with a rounding of 1/255 and one of the
        // product.
        const double roundings = s == 0 ? 2 * 0x1p-24 : 0.0;
        EXPECT_TRUE(within({std::string(stage.name) + " kernel gradient",
                            {3, 3, stage.in_channels, stage.out_channels},
                            inputs},
                           kernel, part(actual, kernel_offset(s), stage.kernel_count()),
                           [&](std::size_t p) { return roundings * std::abs(kernel[p]); }));
        EXPECT_TRUE(equal({std::string(stage.name) + " bias gradient", {stage.out_channels}, inputs},
                          part(expected, bias_offset(s), stage.out_channels),
                          part(actual, bias_offset(s), stage.out_channels)));
      }
    }
  }
  // The cases would prove little if most gradients were 0.
  EXPECT_GT(std::count_if(touched.begin(), touched.end(), [](double size) { return size > 0.0; }),
            kParameterCount * 9 / 10);
}

}  // namespace
}  // namespace lookalike::test
