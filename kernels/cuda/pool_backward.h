// Backward of bias_relu_pool, to the convolution's output:
//   in_gradient(n, 2y + dy, 2x + dx, k) = out_gradient(n, y, x, k) where winners(n, y, x, k) = 2 dy + dx,
//   else 0
//
// out_gradient and winners (N, H / 2, W / 2, K), as bias_relu_pool wrote them; in_gradient (N, H, W, K), H
// and W even, K a multiple of 4, all of it overwritten. One thread writes four channels of a window. The same
// bytes every time. Bound by memory: 5.3 bytes an element of in_gradient.
#pragma once

#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void pool_backward(const float* out_gradient, const std::uint8_t* winners, float* in_gradient,
                   const ActivationShape& in_shape, gpu::Stream stream);

}  // namespace lookalike::cuda
