#include "kernels/cuda/gather_images.h"

#include "kernels/topology.h"
#include "tests/cuda/device_test.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

using GatherImages = DeviceTest;

TEST_F(GatherImages, CopiesTheImagesNamed) {
  constexpr std::int64_t kImages = 3;
  const auto images = random_image(61, kImages * kImageBytes);
  std::vector<std::int64_t> numbers = {2, 0, 2, 1};
  if (kSmallShapes) numbers.resize(1);
  std::vector<std::uint8_t> expected;
  for (const std::int64_t number : numbers)
    expected.insert(expected.end(), images.begin() + number * kImageBytes,
                    images.begin() + (number + 1) * kImageBytes);
  const gpu::Buffer<std::uint8_t> in(images);
  const gpu::Buffer<std::int64_t> by(numbers);
  const GuardedBuffer<std::uint8_t> out(std::ssize(expected));
  cuda::gather_images(in.data(), by.data(), std::ssize(numbers), out.data(), nullptr);
  EXPECT_TRUE(same_bytes<std::uint8_t>({"gather_images", {std::ssize(numbers), kImageBytes}, "seed 61"},
                                       expected, out.host()));
  EXPECT_TRUE(out.intact());
}

TEST_F(GatherImages, NoImagesAreNoLaunch) { cuda::gather_images(nullptr, nullptr, 0, nullptr, nullptr); }

}  // namespace
}  // namespace lookalike::test
