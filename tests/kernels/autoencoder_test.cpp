// The CPU kernels against the double reference, within the bound that float32 arithmetic itself has
// (tests/support/error_bound.h), on each instruction set.
#include "kernels/cpu/autoencoder.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/reference/autoencoder.h"
#include "tests/support/error_bound.h"
#include "tests/support/inputs.h"
#include "tests/support/runs.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

reference::Tensor target(const std::vector<uint8_t>& image) {
  return reference::unit_image(image, kImageSize, kImageChannels);
}

std::vector<int64_t> shape_of(const reference::Tensor& tensor) {
  return {tensor.height, tensor.width, tensor.channels};
}

auto bound_of(const std::vector<double>& bounds) {
  return [&bounds](std::size_t i) { return bounds[i]; };
}

// Runs `check(kernels, inputs)` on each instruction set that this processor has.
void on_each_target(const std::vector<float>& parameters, const std::string& inputs,
                    const std::function<void(Kernels&, const std::string&)>& check) {
  for (const int64_t instruction_set : supported_targets()) {
    const UseTarget use(instruction_set);
    Kernels kernels(parameters);
    check(kernels, inputs + ", " + hwy::TargetName(instruction_set));
  }
}

void expect_forward(const std::vector<float>& parameters, const NamedImage& image) {
  const reference::Tensor t = target(image.bytes);
  const reference::Trace trace = reference::forward(kStages, doubles(parameters), t);
  const ForwardBound bound = forward_bound(doubles(parameters), trace);
  on_each_target(parameters, image.name, [&](Kernels& kernels, const std::string& inputs) {
    const auto actual = kernels.activations(image.bytes);
    for (std::size_t s = 0; s + 1 < kStages.size(); ++s) {
      const reference::Tensor& expected = trace.stages[s].output();
      EXPECT_TRUE(within({std::string(kStages[s].name), shape_of(expected), inputs}, expected.values,
                         actual[s], bound_of(bound.output[s].values)));
    }
    EXPECT_TRUE(within({"output", shape_of(trace.probabilities), inputs}, trace.probabilities.values,
                       actual[6], bound_of(bound.probabilities.values)));
    EXPECT_TRUE(within({"encode_image", shape_of(trace.stages[2].output()), inputs},
                       trace.stages[2].output().values, kernels.encode(image.bytes),
                       bound_of(bound.output[2].values)));
    EXPECT_NEAR(kernels.loss(image.bytes), reference::cross_entropy_sum(trace.probabilities, t),
                bound.loss_sum)
        << inputs;
  });
}

TEST(Autoencoder, ForwardOnAwkwardImages) {
  const auto parameters = random_parameters(kStages, 71);
  for (const NamedImage& image : awkward_images()) expect_forward(parameters, image);
}

TEST(Autoencoder, ForwardWithAwkwardParameters) {
  const NamedImage noise{"noise, seed 72", random_image(72)};
  expect_forward(std::vector<float>(kParameterCount, 0.0F), noise);
  expect_forward(random_parameters(kStages, 73, 0.0), noise);  // biases of exactly 0
  std::vector<float> dead = random_parameters(kStages, 74);
  for (int k = 0; k < kStages[0].out_channels; ++k)
    dead[static_cast<std::size_t>(bias_offset(0) + k)] = -9.0F;
  expect_forward(dead, noise);  // every ReLU of enc1 closed
  std::vector<float> tiny = random_parameters(kStages, 75);
  for (float& value : tiny) value *= 1e-6F;
  expect_forward(tiny, noise);
}

void expect_gradient(const std::vector<float>& parameters, const NamedImage& image) {
  const reference::Tensor t = target(image.bytes);
  const double scale = 1.0 / static_cast<double>(kImageBytes);
  const reference::Trace trace = reference::forward(kStages, doubles(parameters), t);
  const ForwardBound forward = forward_bound(doubles(parameters), trace);
  const auto expected =
      reference::backward(kStages, doubles(parameters), trace,
                          reference::logits_gradient(trace.probabilities, t, kBorder, scale));
  const auto bound = gradient_bound(doubles(parameters), trace, forward, t, scale);
  on_each_target(parameters, image.name, [&](Kernels& kernels, const std::string& inputs) {
    std::vector<float> actual;
    const double loss = kernels.gradient(image.bytes, static_cast<float>(scale), actual);
    EXPECT_NEAR(loss, reference::cross_entropy_sum(trace.probabilities, t), forward.loss_sum) << inputs;
    EXPECT_EQ(loss, kernels.loss(image.bytes)) << inputs;
    EXPECT_TRUE(within({"image_gradient", {kParameterCount}, inputs}, expected, actual, bound_of(bound)));
  });
}

TEST(Autoencoder, GradientOnNoise) {
  for (const uint64_t seed : {81U, 82U, 83U})
    expect_gradient(random_parameters(kStages, seed),
                    {"noise, seed " + std::to_string(seed), random_image(seed)});
}

TEST(Autoencoder, GradientOfBordersAndDeadUnits) {
  expect_gradient(random_parameters(kStages, 84), pixel_image(0, 149));
  expect_gradient(random_parameters(kStages, 85), checkered_image(5));
  std::vector<float> dead = random_parameters(kStages, 86);
  for (int k = 0; k < kStages[5].out_channels; ++k)
    dead[static_cast<std::size_t>(bias_offset(5) + k)] = -9.0F;
  expect_gradient(dead, {"noise, seed 87", random_image(87)});  // only dec4's bias has a gradient
}

// Logits far beyond 16.1, where clipping starts, in one channel of each sign, and inside in the third.
TEST(Autoencoder, ClippedProbabilitiesPassNoGradient) {
  std::vector<float> parameters = random_parameters(kStages, 88);
  float* bias = parameters.data() + bias_offset(kStageCount - 1);
  bias[0] = 40.0F;
  bias[1] = -40.0F;
  for (const NamedImage& image : {checkered_image(1), NamedImage{"noise, seed 89", random_image(89)}}) {
    const reference::Tensor t = target(image.bytes);
    const reference::Trace trace = reference::forward(kStages, doubles(parameters), t);
    for (std::size_t i = 0; i < t.values.size(); i += 3) {
      ASSERT_GT(trace.probabilities.values[i], 1.0 - 1e-9);
      ASSERT_LT(trace.probabilities.values[i + 1], 1e-9);
    }
    expect_gradient(parameters, image);
    on_each_target(parameters, image.name, [&](Kernels& kernels, const std::string& inputs) {
      std::vector<float> actual;
      kernels.gradient(image.bytes, 1.0F, actual);
      for (std::size_t i = 0; i < static_cast<std::size_t>(kStages[6].parameter_count()); ++i) {
        if (i % 3 != 2) {
          EXPECT_EQ(actual[static_cast<std::size_t>(kernel_offset(6)) + i], 0.0F) << i << ", " << inputs;
        }
      }
    });
  }
}

// A wrong answer, with certainty and everywhere, costs -log of the clip and no more: 16.118, where clipping
// in float32 would give 15.94.
TEST(Autoencoder, LossOfClippedProbabilities) {
  std::vector<float> parameters(kParameterCount, 0.0F);
  for (const float logit : {100.0F, -100.0F, 1e30F, -1e30F}) {
    std::fill_n(parameters.begin() + bias_offset(6), 3, logit);
    const std::vector<uint8_t> right(kImageBytes, logit > 0.0F ? 255 : 0);
    const std::vector<uint8_t> wrong(kImageBytes, logit > 0.0F ? 0 : 255);
    on_each_target(
        parameters, "logits " + std::to_string(logit), [&](Kernels& kernels, const std::string& inputs) {
          const double clipped = -std::log(kProbabilityClip);
          EXPECT_NEAR(kernels.loss(wrong) / kImageBytes, clipped, 1e-6 * clipped) << inputs;
          EXPECT_NEAR(kernels.loss(right) / kImageBytes, kProbabilityClip, 0.25 * kProbabilityClip) << inputs;
        });
  }
}

// byte = 255 p rounded, so it is within a half of 255 p, and of what p may be off.
TEST(Autoencoder, DecodedBytesAreTheNearest) {
  std::vector<float> contrast = random_parameters(kStages, 91);
  for (int i = kernel_offset(6); i < bias_offset(6); ++i) contrast[static_cast<std::size_t>(i)] *= 20.0F;
  for (const auto& parameters : {random_parameters(kStages, 90), contrast}) {
    const std::vector<float> code = random_floats(kCodeLength, 0.0, 8.0, 92);
    reference::Tensor input(kCodeSize, kCodeSize, kCodeChannels);
    input.values = doubles(code);
    const reference::Trace trace =
        reference::run_stages(kStages, doubles(parameters), kEncoderStages, kStages.size(), input);
    const ForwardBound bound = forward_bound(doubles(parameters), trace, kEncoderStages);
    std::vector<double> expected = trace.probabilities.values;
    for (double& value : expected) value *= 255.0;
    on_each_target(parameters, "code of seed 92", [&](Kernels& kernels, const std::string& inputs) {
      EXPECT_TRUE(within({"decode_code", shape_of(trace.probabilities), inputs}, expected,
                         kernels.decode(code),
                         [&](std::size_t i) { return 0.5 + 255.0 * bound.probabilities.values[i]; }));
    });
  }
}

TEST(Autoencoder, DecodedBytesReachBothEnds) {
  std::vector<float> parameters(kParameterCount, 0.0F);
  const std::vector<float> code(kCodeLength, 1.0F);
  for (const auto& [logit, byte] :
       {std::pair{0.0F, 128}, {40.0F, 255}, {-40.0F, 0}, {1e30F, 255}, {-1e30F, 0}}) {
    std::fill_n(parameters.begin() + bias_offset(6), 3, logit);
    on_each_target(parameters, "logits", [&, expected = byte](Kernels& kernels, const std::string& inputs) {
      const auto image = kernels.decode(code);
      // 127.5 is a tie: either neighbour is nearest.
      for (const uint8_t actual : image)
        ASSERT_TRUE(actual == expected || (expected == 128 && actual == 127)) << +actual << ", " << inputs;
    });
  }
}

}  // namespace
}  // namespace lookalike::test
