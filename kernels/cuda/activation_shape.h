// Shape of an activation in device memory: (N, H, W, C) floats, the address a multiple of 16 bytes.
#pragma once

#include <cstdint>

namespace lookalike::cuda {

struct ActivationShape {
  std::int64_t images = 0;  // N, at most kMaxImages
  int height = 0, width = 0, channels = 0;

  std::int64_t size() const { return images * height * width * channels; }
};

// Images lie along the grid's second dimension.
inline constexpr std::int64_t kMaxImages = 65535;

}  // namespace lookalike::cuda
