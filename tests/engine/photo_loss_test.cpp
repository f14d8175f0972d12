// The loss of single photos, and its floor, against plain arithmetic.
#include "engine/photo_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/random.h"

namespace lookalike {
namespace {

std::vector<uint8_t> flat(uint8_t byte) { return std::vector<uint8_t>(std::size_t{kImageBytes}, byte); }

TEST(PhotoLoss, FloorIsTheEntropyOfThePixels) {
  const auto device = make_cpu_device(1);
  device->set_parameters(initial_parameters(1));
  for (const int byte : {0, 1, 51, 128, 254, 255}) {
    const double t = byte / 255.0;
    const double entropy = t > 0 && t < 1 ? -t * std::log(t) - (1 - t) * std::log(1 - t) : 0;
    const auto losses = photo_losses(*device, flat(static_cast<uint8_t>(byte)));
    ASSERT_EQ(losses.size(), 1U);
    // 67,500 equal terms summed in double: within 67,500 x 2^-53 of the sum.
    EXPECT_NEAR(losses[0].floor, entropy, 1e-11) << byte;
    EXPECT_GE(losses[0].excess(), -1e-6) << byte;
  }
}

TEST(PhotoLoss, EachPhotoIsJudgedAlone) {
  const auto device = make_cpu_device(2);
  device->set_parameters(initial_parameters(3));
  std::vector<uint8_t> images;
  std::vector<double> alone;
  for (int i = 0; i < 3; ++i) {
    std::vector<uint8_t> image = flat(0);
    for (std::size_t b = 0; b < image.size(); ++b) image[b] = static_cast<uint8_t>(b * (7 + i) % 251);
    alone.push_back(device->loss(image));
    images.insert(images.end(), image.begin(), image.end());
  }
  const auto losses = photo_losses(*device, images);
  ASSERT_EQ(losses.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(losses[i].loss, alone[i]);
  EXPECT_TRUE(photo_losses(*device, {}).empty());
}

}  // namespace
}  // namespace lookalike
