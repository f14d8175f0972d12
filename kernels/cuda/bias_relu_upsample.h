// Bias, ReLU and nearest x2 upsampling of a convolution's output:
//   out(n, y, x, k) = max(in(n, y / 2, x / 2, k) + bias(k), 0)
//
// in (N, H, W, K), K a multiple of 4; bias (K), 16-byte aligned; out (N, 2H, 2W, K), all of it overwritten.
// One thread writes four channels of four pixels. The same bytes every time. Bound by memory: 20 bytes an
// element of `in`.
#pragma once

#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void bias_relu_upsample(const float* in, const float* bias, float* out, const ActivationShape& in_shape,
                        gpu::Stream stream);

}  // namespace lookalike::cuda
