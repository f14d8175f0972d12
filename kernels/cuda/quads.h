// Kernels that work on four channels of a pixel at once: one block row for each image, one thread for each
// quad of a pixel.
#pragma once

#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/gpu.h"

namespace lookalike::cuda {

inline constexpr int kQuadThreads = 256;

// Grid for `pixels` pixels of each image. Throws for shapes that the kernels cannot take.
inline gpu::Shape quad_shape(const char* name, const ActivationShape& shape, int pixels, gpu::Stream stream) {
  if (shape.channels % 4 != 0 || shape.images > kMaxImages)
    throw gpu::Error(std::string(name) + ": channels are not a multiple of 4, or too many images");
  const int quads = pixels * (shape.channels / 4);
  return {{static_cast<unsigned>(gpu::ceil_div(quads, kQuadThreads)), static_cast<unsigned>(shape.images)},
          kQuadThreads,
          0,
          stream};
}

// What a thread works on: quad q of pixel (y, x) of an image.
struct QuadPlace {
  std::int64_t image;
  int y, x, q;
  bool inside;
};
GPU_DEVICE QuadPlace quad_place(int height, int width, int quads) {
  const int i = static_cast<int>(blockIdx.x) * kQuadThreads + static_cast<int>(threadIdx.x);
  const int pixel = i / quads;
  return {blockIdx.y, pixel / width, pixel % width, i % quads, pixel < height * width};
}

// v below or at 0 becomes 0; NaN stays, so that it cannot hide.
GPU_DEVICE float relu(float v) { return v <= 0.0F ? 0.0F : v; }

}  // namespace lookalike::cuda
