#include "kernels/cuda/encode_half.h"

#include <cstring>

#include "tests/cuda/device_test.h"
#include "tests/reference/autoencoder.h"
#include "tests/support/error_bound.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

// The code in double, and how far fp16 may stray from it: with h = 2^-11, weights err by h of themselves
// (enc1's and enc2's scales are exact or inside that), activations by h of theirs once they are stored, float
// sums by far less: 2 h + 2^-16 covers a stage's own roundings, and 2^-24 those near fp16's smallest.
// Tensor cores may cut instead of rounding: 160 products each within 2^-22 are below 2^-14, hence 2.25 h.
struct Bound {
  std::vector<double> code, error;
};
Bound bound(const std::vector<float>& parameters, std::span<const std::uint8_t> image) {
  constexpr double kHalf = 0x1p-11;
  const auto exact = doubles(parameters);
  Tensor in = reference::pad(reference::unit_image(image, kImageSize, kImageChannels), kBorder);
  Tensor error(in.height, in.width, in.channels);
  for (std::size_t s = 0; s < kEncoderStages; ++s) {
    const Stage& stage = kStages[s];
    const auto part = reference::stage_parameters(kStages, exact, s);
    const auto kernel = absolute(part.kernel);
    const Tensor passed = reference::conv3x3(error, kernel, stage.out_channels);
    const Tensor size = plus(reference::add_bias(reference::conv3x3(absolute(in), kernel, stage.out_channels),
                                                 absolute(part.bias)),
                             passed);
    error = window_maximum(plus(passed, size, 2.25 * kHalf));
    for (double& e : error.values) e += 0x1p-24;
    in = reference::run_stage(stage, part, in).output();
    if (s + 1 < kEncoderStages) error = plus(error, in, kHalf);  // stored as fp16
  }
  return {in.values, error.values};
}

std::vector<std::uint8_t> pitched(std::span<const std::uint8_t> images) {
  constexpr auto kRow = static_cast<std::size_t>(kImageSize * kImageChannels);
  constexpr auto kPitch = static_cast<std::size_t>(cuda::kPitchedRow);
  std::vector<std::uint8_t> out(images.size() / kRow * kPitch, 0xAB);
  for (std::size_t r = 0; r < images.size() / kRow; ++r)
    std::memcpy(out.data() + r * kPitch, images.data() + r * kRow, kRow);
  return out;
}

class EncodeHalf : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && gpu::properties().major < 9) GTEST_SKIP() << "compute capability below 9.0";
  }
  static std::vector<float> encode(const std::vector<float>& parameters,
                                   std::span<const std::uint8_t> images) {
    const auto count = static_cast<std::int64_t>(images.size()) / kImageBytes;
    const gpu::Buffer<std::uint8_t> in(pitched(images));
    const gpu::Buffer<cuda::EncoderWeights> weights(std::vector{cuda::pack_encoder(parameters)});
    const GuardedBuffer<float> codes(count * kCodeLength);
    cuda::encode_half(in.data(), weights.data(), codes.data(), count, nullptr);
    auto result = codes.host();
    EXPECT_TRUE(codes.intact());
    return result;
  }
};

// Five images and two blocks, emulated: a block's third image takes the first one's buffer.
TEST_F(EncodeHalf, IsWithinItsBoundOfTheReference) {
  std::vector<NamedImage> images = {{"noise", random_image(51)},
                                    pixel_image(0, 0),
                                    checkered_image(3),
                                    pixel_image(149, 149),
                                    {"all 255", std::vector<std::uint8_t>(kImageBytes, 255)}};
  if (kSmallShapes) images.resize(1);
  std::vector<std::uint8_t> bytes;
  for (const NamedImage& image : images) bytes.insert(bytes.end(), image.bytes.begin(), image.bytes.end());
  const auto parameters = random_parameters(kStages, 52);
  const auto codes = encode(parameters, bytes);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Bound b = bound(parameters, images[i].bytes);
    const auto code = std::span(codes).subspan(i * kCodeLength, kCodeLength);
    EXPECT_TRUE(within({"encode_half", {kCodeSize, kCodeSize, kCodeChannels}, images[i].name}, b.code, code,
                       [&](std::size_t at) { return b.error[at]; }));
    // As a whole far less: five roundings (three sets of weights, two of activations), each of 2^-11 /
    // sqrt(3) in the mean square and independent, make 2^-10.5; twice that is allowed.
    double difference = 0, size = 0;
    for (std::size_t at = 0; at < kCodeLength; ++at) {
      difference += (code[at] - b.code[at]) * (code[at] - b.code[at]);
      size += b.code[at] * b.code[at];
    }
    EXPECT_LT(std::sqrt(difference / size), 0x1p-9) << images[i].name;
  }
}

// Small integers: every product and sum is exact, so each pixel, tap, channel and window has its own place.
TEST_F(EncodeHalf, IsExactWhereTheArithmeticIs) {
  if (kSmallShapes) GTEST_SKIP() << "too long for ThreadSanitizer";
  std::vector<float> parameters(kParameterCount, 0.0F);
  Random random(53);
  for (int s = 0; s < kEncoderStages; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    for (int k = 0; k < stage.out_channels; ++k) {
      // One tap a channel, two in enc2; enc1 copies bits times 1: its scale 16 / 255 rounds 255 / 16 away.
      for (int i = 0; i < (s == 1 ? 2 : 1); ++i)
        parameters[static_cast<std::size_t>(
            kernel_offset(s) +
            static_cast<int>(random.below(kTaps * stage.in_channels)) * stage.out_channels + k)] =
            s == 0 ? 255.0F / 256.0F : 1.0F;
    }
  }
  std::vector<std::uint8_t> image = random_image(54);
  const auto codes = encode(parameters, image);
  const auto exact = doubles(parameters);
  Tensor in = reference::pad(reference::unit_image(image, kImageSize, kImageChannels), kBorder);
  for (std::size_t s = 0; s < kEncoderStages; ++s)
    in = reference::run_stage(kStages[s], reference::stage_parameters(kStages, exact, s), in).output();
  EXPECT_TRUE(within({"encode_half", {kCodeSize, kCodeSize, kCodeChannels}, "bytes / 256"}, in.values, codes,
                     [](std::size_t) { return 0x1p-40; }));
}

TEST_F(EncodeHalf, CodesDependOnTheirImageAlone) {
  if (kSmallShapes) GTEST_SKIP() << "too long for ThreadSanitizer";
  const auto parameters = random_parameters(kStages, 55);
  const auto images = random_image(56, 3 * kImageBytes);
  const auto together = encode(parameters, images);
  const auto alone = encode(parameters, std::span(images).last(kImageBytes));
  EXPECT_TRUE(same_bytes<float>({"encode_half", {kCodeLength}, "seed 56"}, alone,
                                std::span(together).last(kCodeLength)));
  EXPECT_TRUE(encode(parameters, {}).empty());
}

}  // namespace
}  // namespace lookalike::test
