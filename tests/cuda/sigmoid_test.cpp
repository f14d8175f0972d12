// sigmoid_loss and sigmoid_bytes.
#include "kernels/cuda/sigmoid_bytes.h"
#include "kernels/cuda/sigmoid_loss.h"
#include "tests/cuda/activations.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/autoencoder.h"

namespace lookalike::test {
namespace {

class SigmoidTest : public DeviceTest {
 protected:
  static constexpr std::int64_t kCount = 2;
  const ActivationShape shape_{kCount, kGridSize, kGridSize, kImageChannels};
  const std::vector<float> bias_ = {0.25F, -0.5F, 0.125F};
  const std::vector<std::uint8_t> images_ = random_image(8, kCount* kImageBytes);
  std::vector<float> logits_ = random_floats(shape_.size(), -6, 6, 7);

  // Beyond the clip, at it, and far beyond; the border too, where nothing may be seen of them.
  void SetUp() override {
    DeviceTest::SetUp();
    const std::vector<float> awkward = {0, 16, -16, 16.2F, -16.2F, 90, -90, 200, -200, 1e30F, -1e30F};
    for (std::size_t i = 0; i < logits_.size(); i += 97) logits_[i] = awkward[i / 97 % awkward.size()];
  }

  reference::Tensor z(std::int64_t n) const {  // with the bias as the kernel adds it, in float
    reference::Tensor z = image_of(logits_, shape_, n);
    for (std::size_t i = 0; i < z.values.size(); ++i)
      z.values[i] = static_cast<double>(static_cast<float>(z.values[i]) + bias_[i % 3]);
    return z;
  }
  reference::Tensor target(std::int64_t n) const {
    return reference::unit_image(std::span(images_).subspan(static_cast<std::size_t>(n * kImageBytes)),
                                 kImageSize, kImageChannels);
  }
};

// u = 2^-24. Gradient: exp is good to 2 ulp or 4 u of its value (CUDA C++ Programming Guide), sum, quotient,
// t, difference and scale are rounded once each: within 16 u of scale. Loss: c t rounded is within |c| u,
// log1p and the rest within 8 u: 24 u for |c| <= 16.2, for each of 67,500 elements.
TEST_F(SigmoidTest, LossAndGradientAreTheReferences) {
  const float scale = 0.125F;
  const gpu::Buffer<float> logits(logits_), bias(bias_);
  const gpu::Buffer<std::uint8_t> images(images_);
  const GuardedBuffer<double> loss(kCount), partial(kCount * cuda::kLossBlocks);
  const GuardedBuffer<float> gradient(shape_.size());
  cuda::SigmoidLoss of{logits.data(),  bias.data(), images.data(),  scale,
                       partial.data(), loss.data(), gradient.data()};
  cuda::sigmoid_loss(of, kCount, nullptr);
  std::vector<double> losses, gradients;
  for (std::int64_t n = 0; n < kCount; ++n) {
    const auto p = reference::cropped_sigmoid(z(n), kBorder);
    losses.push_back(reference::cross_entropy_sum(p, target(n)));
    append(gradients, reference::logits_gradient(p, target(n), kBorder, scale).values);
  }
  EXPECT_TRUE(within({"loss", {kCount}, "seeds 7, 8"}, losses, loss.host(),
                     [](std::size_t) { return 24 * 0x1p-24 * static_cast<double>(kImageBytes); }));
  EXPECT_TRUE(within(where("gradient", shape_, "seeds 7, 8"), gradients, gradient.host(),
                     [=](std::size_t) { return 16 * 0x1p-24 * static_cast<double>(scale); }));
  EXPECT_TRUE(loss.intact() && partial.intact() && gradient.intact());

  // Alone, and without its gradient, an image has the same loss.
  const GuardedBuffer<double> alone(1);
  of.logits += kGridSize * kGridSize * kImageChannels;
  of.images += kImageBytes;
  of.loss = alone.data();
  of.gradient = nullptr;
  cuda::sigmoid_loss(of, 1, nullptr);
  EXPECT_EQ(alone.host()[0], loss.host()[1]);
}

TEST_F(SigmoidTest, NaNReachesLossAndGradient) {
  logits_[kGridSize * 300 + 11] = NAN;
  const gpu::Buffer<float> logits(logits_), bias(bias_);
  const gpu::Buffer<std::uint8_t> images(images_);
  const GuardedBuffer<double> loss(kCount), partial(kCount * cuda::kLossBlocks);
  const GuardedBuffer<float> gradient(shape_.size());
  cuda::sigmoid_loss(
      {logits.data(), bias.data(), images.data(), 1.0F, partial.data(), loss.data(), gradient.data()}, kCount,
      nullptr);
  EXPECT_TRUE(std::isnan(loss.host()[0]));
  EXPECT_TRUE(std::isfinite(loss.host()[1]));
  EXPECT_TRUE(std::isnan(gradient.host()[kGridSize * 300 + 11]));
}

// 255 p is within 255 * 8 u of the reference's, so only near a half may the byte be the other one.
TEST_F(SigmoidTest, BytesAreTheNearest) {
  const gpu::Buffer<float> logits(logits_), bias(bias_);
  const GuardedBuffer<std::uint8_t> out(kCount * kImageBytes);
  cuda::sigmoid_bytes(logits.data(), bias.data(), out.data(), kCount, nullptr);
  std::vector<double> expected;
  for (std::int64_t n = 0; n < kCount; ++n)
    for (const double p : reference::cropped_sigmoid(z(n), kBorder).values) expected.push_back(255.0 * p);
  EXPECT_TRUE(within({"sigmoid_bytes", {kCount, kImageSize, kImageSize, kImageChannels}, "seed 7"}, expected,
                     out.host(), [](std::size_t) { return 0.5 + 255 * 8 * 0x1p-24; }));
  EXPECT_TRUE(out.intact());
}

}  // namespace
}  // namespace lookalike::test
