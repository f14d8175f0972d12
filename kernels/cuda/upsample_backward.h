// Backward of bias_relu_upsample, to the convolution's output: with s the sum over the 2x2 block that (y, x)
// became, ((0, 0) + (0, 1)) + ((1, 0) + (1, 1)),
//   in_gradient(n, y, x, k) = s of out_gradient where out(n, 2y, 2x, k) > 0, else 0
//
// out_gradient and out (N, 2H, 2W, K), out as bias_relu_upsample wrote it; in_gradient (N, H, W, K), K a
// multiple of 4, all of it overwritten. One thread writes four channels of a pixel. The same bytes every
// time. Bound by memory: 24 bytes an element of in_gradient.
#pragma once

#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void upsample_backward(const float* out_gradient, const float* out, float* in_gradient,
                       const ActivationShape& in_shape, gpu::Stream stream);

}  // namespace lookalike::cuda
