// How far single photos are from their reconstructions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/device.h"

namespace lookalike {

// Binary cross-entropy asks a price even of a perfect copy: log 2 of a pixel that is half bright, nothing of
// black or white. Photos are compared by what is above it.
struct PhotoLoss {
  double loss = 0;   // Device::loss of the photo alone
  double floor = 0;  // mean over its numbers t = byte / 255 of -t log t - (1 - t) log(1 - t)

  double excess() const { return loss - floor; }
};

// images (N, 150, 150, 3), any N -> N. With the device's parameters, which stay as they are. As deterministic
// as Device::loss.
std::vector<PhotoLoss> photo_losses(Device& device, std::span<const uint8_t> images);

}  // namespace lookalike
