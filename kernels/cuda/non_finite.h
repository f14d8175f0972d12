// Looks for numbers that are not finite: found(t) = 1 where values[begin(t)] .. values[begin(t + 1) - 1] has
// a NaN or infinity, else 0.
//
// values: one array of all tensors; found (T) is overwritten. T is at most kMaxTensors. A block looks at one
// tensor. Bound by latency.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

inline constexpr int kMaxTensors = 16;

struct TensorBounds {
  int tensors = 0;                              // T
  std::array<int, kMaxTensors + 1> begin = {};  // T + 1 are set
};
void find_non_finite(const float* values, const TensorBounds& bounds, std::int32_t* found,
                     gpu::Stream stream);

}  // namespace lookalike::cuda
