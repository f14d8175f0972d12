// The sigmoid of the last stage, for the kernels that need it.
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/topology.h"

namespace lookalike::cuda {

inline constexpr int kLogitRow = kGridSize * kImageChannels;  // elements of a row of logits
inline constexpr int kLogits = kGridSize * kLogitRow;         // of an image
inline constexpr int kPixelRow = kImageSize * kImageChannels;

struct Sigmoid {
  float probability;
  float e;  // exp(-|z|)
};
GPU_DEVICE Sigmoid sigmoid(float z) {
  const float e = expf(-fabsf(z));
  return {(z < 0.0F ? e : 1.0F) / (1.0F + e), e};
}

}  // namespace lookalike::cuda
