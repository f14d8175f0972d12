// What is left of a device where one allocation failed.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/error.h"
#include "tests/cuda_device/device_under_test.h"
#include "tests/emulation/streams.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

constexpr std::int64_t kImages = 2;

// One image, then more losses than there was room for, then images by number, twice over.
std::vector<double> losses(Device& device, std::span<const std::uint8_t> images) {
  std::vector<double> result = {device.loss(images.first(kImageBytes)), device.loss(images)};
  const ImageSource source = {kImages, [&](std::span<const std::int64_t>, std::span<std::uint8_t> out) {
                                std::ranges::copy(images, out.begin());
                              }};
  if (device.hold(source) != Held::kHeld) throw system_error("not held");
  result.push_back(device.loss_of_held(std::vector<std::int64_t>{1}));
  result.push_back(device.loss_of_held(std::vector<std::int64_t>{1, 0}));
  return result;
}

TEST(Allocation, OneThatFailsLeavesADeviceThatWorks) {
  const auto parameters = random_parameters(kStages, 122);
  const auto images = random_image(121, kImages * kImageBytes);
  const auto made = [&] {
    auto device = small_cuda_device(1, 1);
    device->set_parameters(parameters);
    return device;
  };
  const std::vector<double> expected = losses(*made(), images);
  int failures = 0;
  for (;; ++failures) {
    const auto device = made();
    emu::fail_allocation_after(failures);
    try {
      losses(*device, images);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kSystem) << failures;
    }
    if (emu::fail_allocation_after(-1) >= 0) break;  // none was left to fail
    EXPECT_EQ(losses(*device, images), expected) << "allocation " << failures << " failed";
  }
  EXPECT_GT(failures,
            8);  // network, two slots, losses and numbers twice over on both sides, the images, a part
}

}  // namespace
}  // namespace lookalike::test
