#include "kernels/cuda/pad_bytes.h"

#include "tests/cuda/device_test.h"
#include "tests/reference/autoencoder.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

using PadBytes = DeviceTest;

// The reference's own division is in double: the float nearest to it is the quotient rounded to nearest, as a
// quotient of two bytes is never within 2^-54 of the middle of two floats without being it.
TEST_F(PadBytes, EqualsTheReference) {
  for (const std::int64_t n : {1, 3}) {
    if (kSmallShapes && n > 1) continue;
    const auto images = random_image(31, n * kImageBytes);
    std::vector<float> expected;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto image = std::span(images).subspan(static_cast<std::size_t>(i * kImageBytes), kImageBytes);
      const reference::Tensor unit =
          reference::unit_image({image.begin(), image.end()}, kImageSize, kImageChannels);
      for (const double value : reference::pad(unit, kBorder).values)
        expected.push_back(static_cast<float>(value));
    }
    const gpu::Buffer<std::uint8_t> in(images);
    const GuardedBuffer<float> out(std::ssize(expected));
    cuda::pad_bytes(in.data(), out.data(), n, nullptr);
    EXPECT_TRUE(same_bytes<float>({"pad_bytes", {n, kGridSize, kGridSize, kImageChannels}, "seed 31"},
                                  expected, out.host()));
    EXPECT_TRUE(out.intact());
  }
}

TEST_F(PadBytes, NoImagesAreNoLaunch) { cuda::pad_bytes(nullptr, nullptr, 0, nullptr); }

}  // namespace
}  // namespace lookalike::test
