#include "kernels/cuda/gpu.h"
#include "kernels/cuda/pool_backward.h"
#include "kernels/cuda/quads.h"

namespace lookalike::cuda {
namespace {

// The gradients that go to one of the four elements of the window.
GPU_DEVICE float4 won(const float4& gradient, const uchar4& winners, int element) {
  return {winners.x == element ? gradient.x : 0.0F, winners.y == element ? gradient.y : 0.0F,
          winners.z == element ? gradient.z : 0.0F, winners.w == element ? gradient.w : 0.0F};
}

__global__ void __launch_bounds__(kQuadThreads)
    pool_backward_kernel(const float4* __restrict__ out_gradient, const uchar4* __restrict__ winners,
                         float4* __restrict__ in_gradient, int height, int width, int quads) {
  const QuadPlace at = quad_place(height / 2, width / 2, quads);
  if (!at.inside) return;
  const std::int64_t from = ((at.image * (height / 2) + at.y) * (width / 2) + at.x) * quads + at.q;
  const float4 gradient = out_gradient[from];
  const uchar4 which = winners[from];
  float4* window = in_gradient + ((at.image * height + 2 * at.y) * width + 2 * at.x) * quads + at.q;
  window[0] = won(gradient, which, 0);
  window[quads] = won(gradient, which, 1);
  window += width * quads;
  window[0] = won(gradient, which, 2);
  window[quads] = won(gradient, which, 3);
}

}  // namespace

void pool_backward(const float* out_gradient, const std::uint8_t* winners, float* in_gradient,
                   const ActivationShape& in_shape, gpu::Stream stream) {
  if (in_shape.height % 2 != 0 || in_shape.width % 2 != 0)
    throw gpu::Error("pool_backward: height and width are not even");
  if (in_shape.size() == 0) return;
  gpu::launch("pool_backward",
              quad_shape("pool_backward", in_shape, in_shape.height / 2 * (in_shape.width / 2), stream),
              pool_backward_kernel, reinterpret_cast<const float4*>(out_gradient),
              reinterpret_cast<const uchar4*>(winners), reinterpret_cast<float4*>(in_gradient),
              in_shape.height, in_shape.width, in_shape.channels / 4);
}

}  // namespace lookalike::cuda
