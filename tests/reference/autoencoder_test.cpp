// The gradient of the whole autoencoder against finite differences of its loss: every parameter of a small
// one, a direction through each tensor of the product's.
#include "tests/reference/autoencoder.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/compare.h"
#include "tests/support/inputs.h"

namespace lookalike::reference {
namespace {

using lookalike::test::doubles;
using lookalike::test::Random;
using lookalike::test::within;

// kStages' channels and tails on grids of a tenth: an image of 14 x 14.
constexpr int kSmallImage = 14;
constexpr std::array<Stage, 7> kSmallStages = {{
    {"enc1", 16, 3, 16, Tail::kPool},
    {"enc2", 8, 16, 8, Tail::kPool},
    {"enc3", 4, 8, 8, Tail::kPool},
    {"dec1", 2, 8, 8, Tail::kUpsample},
    {"dec2", 4, 8, 8, Tail::kUpsample},
    {"dec3", 8, 8, 16, Tail::kUpsample},
    {"dec4", 16, 16, 3, Tail::kSigmoid},
}};

struct Point {
  double loss = 0.0;
  // Which ReLU is open and which element of each window is the maximum: where two points agree in this, the
  // loss is smooth between them.
  std::vector<int> pattern;
};

Point evaluate(std::span<const Stage> stages, const std::vector<double>& parameters, const Tensor& targets) {
  const Trace trace = forward(stages, parameters, targets);
  Point point{cross_entropy_sum(trace.probabilities, targets), {}};
  for (const StageTrace& stage : trace.stages) {
    for (const double value : stage.activation.values) point.pattern.push_back(value > 0.0 ? 1 : 0);
    point.pattern.insert(point.pattern.end(), stage.pooled.argmax.begin(), stage.pooled.argmax.end());
  }
  return point;
}

TEST(Autoencoder, GradientOfEveryParameterMatchesFiniteDifferences) {
  std::vector<double> parameters = doubles(lookalike::test::random_parameters(kSmallStages, 21));
  const Tensor targets =
      unit_image(lookalike::test::random_image(22, kSmallImage * kSmallImage * 3), kSmallImage, 3);
  const std::vector<double> gradient = loss_and_gradient(kSmallStages, parameters, targets, 1.0).gradient;
  ASSERT_EQ(gradient.size(), static_cast<std::size_t>(kParameterCount));

  constexpr double kStep = 1e-5;
  std::vector<double> expected = gradient;
  int64_t kinks = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double kept = parameters[i];
    parameters[i] = kept + kStep;
    const Point above = evaluate(kSmallStages, parameters, targets);
    parameters[i] = kept - kStep;
    const Point below = evaluate(kSmallStages, parameters, targets);
    if (above.pattern == below.pattern)
      expected[i] = (above.loss - below.loss) / (2.0 * kStep);
    else
      ++kinks;
    parameters[i] = kept;
  }
  // The loss is near 400: rounding 400 eps / step = 1e-8, curvature step^2 f''' of some 1e-8.
  EXPECT_TRUE(within({"gradient, small autoencoder", {kParameterCount}, "seeds 21, 22"}, expected, gradient,
                     [](std::size_t) { return 1e-6; }));
  EXPECT_LE(kinks, kParameterCount / 50) << "too few parameters were checked";
}

TEST(Autoencoder, GradientOfTheProductMatchesFiniteDifferences) {
  const std::vector<double> parameters = doubles(lookalike::test::random_parameters(kStages, 23));
  const Tensor targets = unit_image(lookalike::test::random_image(24), kImageSize, kImageChannels);
  const std::vector<double> gradient = loss_and_gradient(kStages, parameters, targets, 1.0).gradient;
  Random random(25);
  for (int stage = 0; stage < kStageCount; ++stage) {
    for (const auto& [first, last] : {std::array{kernel_offset(stage), bias_offset(stage)},
                                      std::array{bias_offset(stage), kernel_offset(stage + 1)}}) {
      constexpr double kStep = 1e-6;
      std::vector<double> above = parameters;
      std::vector<double> below = parameters;
      double expected = 0.0;
      double size = 0.0;
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) {
        const double direction = random.between(-1.0, 1.0);
        above[i] += kStep * direction;
        below[i] -= kStep * direction;
        expected += gradient[i] * direction;
        size += std::abs(gradient[i]);
      }
      const double actual =
          (evaluate(kStages, above, targets).loss - evaluate(kStages, below, targets).loss) / (2.0 * kStep);
      // Some of the 200,000 windows and ReLUs change sides within a step; each moves the result by its own
      // share of the sum only.
      EXPECT_NEAR(actual, expected, 1e-4 * size) << kStages[static_cast<std::size_t>(stage)].name
                                                 << (first == kernel_offset(stage) ? " kernel" : " bias");
    }
  }
}

TEST(Autoencoder, ParametersLieKernelThenBiasStageByStage) {
  std::vector<double> parameters(kParameterCount);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] = static_cast<double>(i);
  for (int stage = 0; stage < kStageCount; ++stage) {
    const StageParameters part = stage_parameters(kStages, parameters, static_cast<std::size_t>(stage));
    EXPECT_EQ(part.kernel.front(), kernel_offset(stage));
    EXPECT_EQ(part.bias.front(), bias_offset(stage));
    EXPECT_EQ(part.bias.back() + 1, kernel_offset(stage + 1));
  }
}

}  // namespace
}  // namespace lookalike::reference
