// The double loops of tests/reference are Keras: they meet its float64 run to the rounding of the stored
// float32 values, far inside what the kernels are allowed.
#include <gtest/gtest.h>

#include "tests/golden/golden_device.h"
#include "tests/golden/reference_steps.h"

namespace lookalike::test {
namespace {

class ReferenceGolden : public ::testing::TestWithParam<const char*> {
 protected:
  // Stored values are rounded to float32 (half an ulp, 6e-8 of the largest); the loops and Keras add in
  // another order, some 1e-13 of it.
  template <class Expected, class Actual>
  static ::testing::AssertionResult rounded(const Where& where, const Expected& expected,
                                            const Actual& actual) {
    const double bound = 0x1p-24 * largest(expected) + 1e-12;
    return within(where, expected, actual, [bound](std::size_t) { return bound; });
  }
};

class ReferenceActivations : public ReferenceGolden {};  // `four` has none

TEST_P(ReferenceActivations, AreKeras) {
  const GoldenCase golden = load_golden(GetParam());
  const auto parameters = doubles(load_parameters(golden, "weights"));
  const std::array<const char*, 6> names = {"pool1", "pool2", "pool3", "dec1", "dec2", "dec3"};
  for (int64_t n = 0; n < golden.count; ++n) {
    const reference::Trace trace = reference::forward(
        kStages, parameters,
        reference::unit_image(std::span(golden.images).subspan(static_cast<std::size_t>(n * kImageBytes)),
                              kImageSize, kImageChannels));
    const auto check = [&](const std::string& name, const reference::Tensor& actual) {
      const auto all = read_npy<float>(golden_folder(golden.name) / "activations" / (name + ".npy"));
      const auto size = static_cast<std::ptrdiff_t>(actual.values.size());
      const std::vector<float> expected(all.values.begin() + n * size, all.values.begin() + (n + 1) * size);
      EXPECT_TRUE(rounded({name, {actual.height, actual.width, actual.channels}, golden.name}, expected,
                          actual.values));
    };
    for (std::size_t s = 0; s < names.size(); ++s) check(names[s], trace.stages[s].output());
    check("output", trace.probabilities);
  }
}

TEST_P(ReferenceGolden, LossAndGradient) {
  const GoldenCase golden = load_golden(GetParam());
  std::vector<double> gradient;
  const double loss = batch_gradient(golden, doubles(load_parameters(golden, "weights")), gradient);
  EXPECT_NEAR(loss, golden.facts.at("losses").at(0).get<double>(), 1e-12);
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const auto actual = std::span(gradient).subspan(static_cast<std::size_t>(tensor.offset),
                                                    static_cast<std::size_t>(tensor.size()));
    EXPECT_TRUE(rounded({"gradient " + tensor.name, tensor.shape, golden.name},
                        load_tensor(golden, "gradients", tensor), actual));
  }
}

TEST_P(ReferenceGolden, TenAdamSteps) {
  const GoldenCase golden = load_golden(GetParam());
  TenSteps steps = ten_steps(golden);
  std::vector<double> gradient;
  steps.losses.push_back(batch_gradient(golden, steps.parameters, gradient));
  const std::vector<double> expected_losses = golden.facts.at("losses");
  EXPECT_TRUE(within({"losses before and after ten Adam steps", {11}, golden.name}, expected_losses,
                     steps.losses, [](std::size_t) { return 1e-10; }));
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const auto actual =
        std::span(steps.parameters)
            .subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size()));
    EXPECT_TRUE(rounded({tensor.name + " after ten Adam steps", tensor.shape, golden.name},
                        load_tensor(golden, "weights_after_10_adam_steps", tensor), actual));
  }
}

// Windows beside the tie are none.
TEST(PhotosTie, IsTheOnlyOneThatTurns) {
  const GoldenCase golden = load_golden("photos");
  std::vector<double> parameters = doubles(load_parameters(golden, "weights")), gradient;
  std::vector<double> m(kParameterCount), v(kParameterCount);
  int turned = 0;
  for (int step = 1; step <= kPhotosTie.step; ++step) {
    batch_gradient(golden, parameters, gradient, [&](int64_t image, reference::Trace& trace) {
      if (step != kPhotosTie.step || image != kPhotosTie.image) return;
      reference::StageTrace& stage = trace.stages[kPhotosTie.stage];
      PoolWindow beside = kPhotosTie;
      for (const int by : {-1, 1}) {
        for (int64_t PoolWindow::*axis : {&PoolWindow::y, &PoolWindow::x, &PoolWindow::c}) {
          beside = kPhotosTie;
          beside.*axis += by;
          EXPECT_THROW(turn_tie(stage, beside), std::invalid_argument);
        }
      }
      const std::vector before = stage.pooled.argmax;
      turn_tie(stage, kPhotosTie);
      for (std::size_t i = 0; i < before.size(); ++i) turned += before[i] != stage.pooled.argmax[i] ? 1 : 0;
    });
    reference::adam_step(golden.adam, step, gradient, parameters, m, v);
  }
  EXPECT_EQ(turned, 1);
}

constexpr auto kName = [](const auto& golden) { return std::string(golden.param); };
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceActivations, ::testing::ValuesIn(kGoldenCases), kName);
INSTANTIATE_TEST_SUITE_P(Cases, ReferenceGolden, ::testing::ValuesIn(kStepCases), kName);

}  // namespace
}  // namespace lookalike::test
