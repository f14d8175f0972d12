// The specification proves itself: hand-made values, finite differences, adjoint identities, and the phase
// identity in exact integers.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "tests/reference/bias_relu.h"
#include "tests/reference/conv3x3.h"
#include "tests/reference/max_pool.h"
#include "tests/reference/phases.h"
#include "tests/reference/sigmoid_loss.h"
#include "tests/reference/upsample.h"
#include "tests/support/compare.h"
#include "tests/support/inputs.h"

namespace lookalike::reference {
namespace {

using lookalike::test::equal;
using lookalike::test::Random;
using lookalike::test::within;

struct Shape {
  int64_t height, width, in_channels, out_channels;
};
constexpr std::array<Shape, 6> kShapes = {
    {{1, 1, 1, 1}, {1, 5, 2, 3}, {4, 1, 3, 2}, {2, 2, 1, 4}, {5, 4, 4, 3}, {6, 7, 3, 5}}};

Tensor random_tensor(int64_t h, int64_t w, int64_t c, Random& random) {
  Tensor tensor(h, w, c);
  for (double& value : tensor.values) value = random.between(-1.0, 1.0);
  return tensor;
}

std::vector<double> random_vector(int64_t count, Random& random) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) value = random.between(-1.0, 1.0);
  return values;
}

void make_integers(std::vector<double>& values, Random& random) {
  for (double& value : values) value = static_cast<double>(random.below(19) - 9);
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// d f / d values by central differences. For f of at most second degree the step does not matter; the
// rounding is some 1e-16 / step.
std::vector<double> differences(std::vector<double>& values, const std::function<double()>& f,
                                double step = 1e-5) {
  std::vector<double> gradient;
  for (double& value : values) {
    const double kept = value;
    value = kept + step;
    const double above = f();
    value = kept - step;
    const double below = f();
    value = kept;
    gradient.push_back((above - below) / (2.0 * step));
  }
  return gradient;
}

constexpr auto kDifferenceBound = [](std::size_t) { return 1e-8; };

TEST(Conv3x3, OneLitPixelShowsTheKernelTurnedAround) {
  Tensor in(5, 5, 1);
  in.at(2, 2, 0) = 1.0;
  const std::vector<double> kernel = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Tensor out = conv3x3(in, kernel, 1);
  // out[y, x] = kernel[2 - y + 1, 2 - x + 1]: correlation, not convolution.
  const std::vector<double> expected = {0, 0, 0, 0, 0, 0, 9, 8, 7, 0, 0, 6, 5,
                                        4, 0, 0, 3, 2, 1, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(out.values, expected);
}

TEST(Conv3x3, OutsideIsZero) {
  Tensor in(2, 3, 1);
  for (double& value : in.values) value = 1.0;
  const Tensor out = conv3x3(in, std::vector<double>(9, 1.0), 1);
  EXPECT_EQ(out.values, (std::vector<double>{4, 6, 4, 4, 6, 4}));
}

TEST(Conv3x3, GradientsMatchFiniteDifferences) {
  Random random(1);
  for (const Shape& shape : kShapes) {
    const auto [h, w, c, k] = shape;
    Tensor in = random_tensor(h, w, c, random);
    std::vector<double> kernel = random_vector(9 * c * k, random);
    const Tensor weight = random_tensor(h, w, k, random);
    const auto objective = [&] { return dot(conv3x3(in, kernel, k).values, weight.values); };
    EXPECT_TRUE(within({"conv3x3 data gradient", {h, w, c}, "seed 1"}, differences(in.values, objective),
                       conv3x3_data_gradient(weight, kernel, c).values, kDifferenceBound));
    EXPECT_TRUE(within({"conv3x3 kernel gradient", {3, 3, c, k}, "seed 1"}, differences(kernel, objective),
                       conv3x3_kernel_gradient(in, weight), kDifferenceBound));
  }
}

TEST(BiasRelu, GradientsMatchFiniteDifferences) {
  Random random(2);
  Tensor in = random_tensor(4, 3, 5, random);
  std::vector<double> bias = random_vector(5, random);
  const Tensor weight = random_tensor(4, 3, 5, random);
  const auto objective = [&] { return dot(relu(add_bias(in, bias)).values, weight.values); };
  const Tensor gradient = relu_gradient(relu(add_bias(in, bias)), weight);
  EXPECT_TRUE(within({"ReLU gradient", {4, 3, 5}, "seed 2"}, differences(in.values, objective),
                     gradient.values, kDifferenceBound));
  EXPECT_TRUE(within({"bias gradient", {5}, "seed 2"}, differences(bias, objective), bias_gradient(gradient),
                     kDifferenceBound));
}

TEST(BiasRelu, ZeroPassesNoGradient) {
  Tensor in(1, 1, 3);
  in.values = {-1.0, 0.0, 1.0};
  Tensor gradient(1, 1, 3);
  gradient.values = {5.0, 5.0, 5.0};
  EXPECT_EQ(relu_gradient(relu(in), gradient).values, (std::vector<double>{0.0, 0.0, 5.0}));
}

TEST(MaxPool, TheFirstOfEqualsInRowOrderIsTheMaximum) {
  // Windows of four numbers in row order, and the place of the maximum.
  const std::vector<std::array<double, 5>> windows = {{7, 7, 7, 7, 0}, {0, 7, 7, 7, 1},    {0, 0, 7, 7, 2},
                                                      {0, 0, 0, 7, 3}, {7, 0, 0, 7, 0},    {0, 7, 7, 0, 1},
                                                      {1, 0, 2, 2, 2}, {-3, -1, -1, -2, 1}};
  for (const auto& window : windows) {
    Tensor in(2, 2, 1);
    std::copy_n(window.begin(), 4, in.values.begin());
    const Pooled pooled = max_pool(in);
    EXPECT_EQ(pooled.argmax[0], static_cast<int>(window[4])) << ::testing::PrintToString(window);
    EXPECT_EQ(pooled.out.values[0], in.values[static_cast<std::size_t>(window[4])]);
  }
}

TEST(MaxPool, GradientMatchesFiniteDifferences) {
  Random random(3);
  Tensor in = random_tensor(6, 4, 3, random);
  const Tensor weight = random_tensor(3, 2, 3, random);
  EXPECT_TRUE(within({"max pool gradient", {6, 4, 3}, "seed 3"},
                     differences(in.values, [&] { return dot(max_pool(in).out.values, weight.values); }),
                     max_pool_gradient(max_pool(in), weight).values, kDifferenceBound));
}

TEST(Upsample, RepeatsPixelsAndItsAdjointSumsThem) {
  Tensor in(1, 2, 1);
  in.values = {1.0, 2.0};
  EXPECT_EQ(upsample(in).values, (std::vector<double>{1, 1, 2, 2, 1, 1, 2, 2}));
  Tensor gradient(2, 4, 1);
  gradient.values = {1, 2, 3, 4, 10, 20, 30, 40};
  EXPECT_EQ(upsample_gradient(gradient).values, (std::vector<double>{33, 77}));
}

TEST(SigmoidLoss, GradientMatchesFiniteDifferences) {
  Random random(4);
  Tensor logits = random_tensor(6, 5, 3, random);
  for (double& z : logits.values) z *= 12.0;  // nearly to where clipping starts, 16.1
  Tensor targets(4, 3, 3);
  for (double& t : targets.values) t = random.unit();
  targets.values[0] = 0.0;
  targets.values[1] = 1.0;
  const auto objective = [&] { return cross_entropy_sum(cropped_sigmoid(logits, 1), targets); };
  // The third derivative of the loss is at most 0.1, so a step of 1e-5 errs by 1e-11; rounding of a sum near
  // 150 by 150 eps / step = 3e-9; log(1 - p) by eps / 1e-6 / step = 2e-5 where p is within 1e-6 of 1.
  EXPECT_TRUE(within({"loss gradient", {6, 5, 3}, "seed 4"}, differences(logits.values, objective),
                     logits_gradient(cropped_sigmoid(logits, 1), targets, 1, 1.0).values,
                     [](std::size_t) { return 3e-5; }));
}

TEST(SigmoidLoss, ClippedProbabilitiesPassNoGradient) {
  Tensor logits(1, 5, 1);
  logits.values = {-800.0, -16.2, 0.0, 16.2, 800.0};  // log(1e7 - 1) = 16.118
  Tensor targets(1, 5, 1);
  targets.values = {1.0, 1.0, 0.25, 0.0, 0.0};
  const Tensor p = cropped_sigmoid(logits, 0);
  EXPECT_EQ(logits_gradient(p, targets, 0, 2.0).values, (std::vector<double>{0.0, 0.0, 0.5, 0.0, 0.0}));
  EXPECT_NEAR(cross_entropy_sum(p, targets), 4.0 * -std::log(1e-7) + std::log(2.0), 1e-8);
}

// Integers throughout, so equality is exact and no tolerance hides a border.
TEST(Phases, EqualUpsamplingAndConvolutionExactly) {
  for (const Shape& shape : kShapes) {
    const auto [h, w, c, k] = shape;
    Random random(5);
    Tensor in(h, w, c);
    Tensor out_gradient(2 * h, 2 * w, k);
    std::vector<double> kernel(static_cast<std::size_t>(9 * c * k));
    make_integers(in.values, random);
    make_integers(out_gradient.values, random);
    make_integers(kernel, random);
    const std::vector<double> phases = phase_kernels(kernel, c, k);
    EXPECT_TRUE(equal({"phases forward", {2 * h, 2 * w, k}, "seed 5"},
                      conv3x3(upsample(in), kernel, k).values, phase_conv(in, phases, k).values));
    EXPECT_TRUE(equal({"phases data gradient", {h, w, c}, "seed 5"},
                      upsample_gradient(conv3x3_data_gradient(out_gradient, kernel, c)).values,
                      phase_data_gradient(out_gradient, phases, c).values));
    EXPECT_TRUE(equal({"phases kernel gradient", {3, 3, c, k}, "seed 5"},
                      conv3x3_kernel_gradient(upsample(in), out_gradient),
                      fold_phases(phase_kernel_gradient(in, out_gradient), c, k)));
  }
}

}  // namespace
}  // namespace lookalike::reference
