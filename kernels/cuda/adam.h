// One step of Adam over all parameters in one launch, to the bytes of kernels/cpu/adam.h:
//   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= rate sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
//
// gradient, parameters, m, v (count); the last three are updated in place, unless the guard forbids it: then
// nothing changes. One thread owns one parameter; double inside, rounded where the CPU rounds. Bound by
// latency.
#pragma once

#include <cstdint>

#include "kernels/cpu/adam.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

// What the device must find before it may change a weight: losses (N) finite, flags (F) all 0.
struct AdamGuard {
  const double* losses = nullptr;
  std::int64_t loss_count = 0;
  const std::int32_t* flags = nullptr;
  int flag_count = 0;
};

struct AdamState {
  const float* gradient = nullptr;
  float* parameters = nullptr;
  float* m = nullptr;
  float* v = nullptr;
  std::int64_t count = 0;
};

// step t counts from 1.
void adam_step(const AdamOptions& options, std::int64_t step, const AdamGuard& guard, const AdamState& state,
               gpu::Stream stream);

}  // namespace lookalike::cuda
