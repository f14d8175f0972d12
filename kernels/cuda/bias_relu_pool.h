// Bias, ReLU and 2x2 max pool of a convolution's output:
//   out(n, y, x, k) = max over dy, dx in {0, 1} of max(in(n, 2y + dy, 2x + dx, k) + bias(k), 0)
//   winners(n, y, x, k) = 2 dy + dx of the maximum, the first of equals in row order; 4 where out is 0
//
// in (N, H, W, K), H and W even, K a multiple of 4; bias (K), 16-byte aligned; out and winners
// (N, H / 2, W / 2, K), all of them overwritten. winners may be null. One thread writes four channels of a
// pixel. The same bytes every time. Bound by memory: 5.3 bytes an element of `in`.
#pragma once

#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void bias_relu_pool(const float* in, const float* bias, float* out, std::uint8_t* winners,
                    const ActivationShape& in_shape, gpu::Stream stream);

}  // namespace lookalike::cuda
