// Gradient of a bias: out(k) = accumulate out(k) + sum over p of gradient(p, k)
//
// gradient (P, K), where P counts pixels of all images; K divides 192; out (K) is overwritten, or added to
// where `accumulate` is 1 and not 0. partial: scratch of kBiasBlocks K doubles. Sums are in double: a bias
// adds up millions of numbers that nearly cancel, and what float loses there decides ties of later pool
// windows. Threads, then blocks are added in an order that P and K alone fix: the same bytes every time.
// Bound by memory: `gradient` is read once.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

inline constexpr int kBiasBlocks = 1024;  // at most

void bias_gradient(const float* gradient, double* partial, float* out, std::int64_t pixels, int channels,
                   bool accumulate, gpu::Stream stream);

}  // namespace lookalike::cuda
