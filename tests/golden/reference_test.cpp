// The double loops of tests/reference are Keras: they meet its float64 run to the rounding of the stored
// float32 values, far inside what the kernels are allowed.
#include <gtest/gtest.h>

#include "tests/golden/golden.h"
#include "tests/reference/adam.h"
#include "tests/reference/autoencoder.h"
#include "tests/support/inputs.h"

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

  static reference::Tensor image(const GoldenCase& golden, int64_t n) {
    return reference::unit_image(std::span(golden.images).subspan(static_cast<std::size_t>(n * kImageBytes)),
                                 kImageSize, kImageChannels);
  }

  // Mean loss of the batch; its gradient goes to `gradient`.
  static double batch(const GoldenCase& golden, const std::vector<double>& parameters,
                      std::vector<double>& gradient) {
    gradient.assign(kParameterCount, 0.0);
    double loss = 0.0;
    const double scale = 1.0 / static_cast<double>(golden.count * kImageBytes);
    for (int64_t n = 0; n < golden.count; ++n) {
      const auto part = reference::loss_and_gradient(kStages, parameters, image(golden, n), scale);
      loss += part.loss_sum * scale;
      for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += part.gradient[i];
    }
    return loss;
  }
};

TEST_P(ReferenceGolden, Activations) {
  const GoldenCase golden = load_golden(GetParam());
  const auto parameters = doubles(load_parameters(golden, "weights"));
  const std::array<const char*, 6> names = {"pool1", "pool2", "pool3", "dec1", "dec2", "dec3"};
  for (int64_t n = 0; n < golden.count; ++n) {
    const reference::Trace trace = reference::forward(kStages, parameters, image(golden, n));
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
  const double loss = batch(golden, doubles(load_parameters(golden, "weights")), gradient);
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
  auto parameters = doubles(load_parameters(golden, "weights"));
  std::vector<double> m(kParameterCount), v(kParameterCount), gradient;
  for (std::size_t step = 0; step <= 10; ++step) {
    const double loss = batch(golden, parameters, gradient);
    EXPECT_NEAR(loss, golden.facts.at("losses").at(step).get<double>(), 1e-10) << "before step " << step + 1;
    if (step < 10)
      reference::adam_step(golden.adam, static_cast<int64_t>(step) + 1, gradient, parameters, m, v);
  }
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const auto actual =
        std::span(parameters)
            .subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size()));
    EXPECT_TRUE(rounded({tensor.name + " after ten Adam steps", tensor.shape, golden.name},
                        load_tensor(golden, "weights_after_10_adam_steps", tensor), actual));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ReferenceGolden, ::testing::Values("photos", "noise", "flat"),
                         [](const auto& golden) { return std::string(golden.param); });

}  // namespace
}  // namespace lookalike::test
