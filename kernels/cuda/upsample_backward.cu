#include "kernels/cuda/gpu.h"
#include "kernels/cuda/quads.h"
#include "kernels/cuda/upsample_backward.h"

namespace lookalike::cuda {
namespace {

GPU_DEVICE float sum_where_open(float a, float b, float c, float d, float out) {
  return out > 0.0F ? (a + b) + (c + d) : 0.0F;
}

__global__ void __launch_bounds__(kQuadThreads)
    upsample_backward_kernel(const float4* __restrict__ out_gradient, const float4* __restrict__ out,
                             float4* __restrict__ in_gradient, int height, int width, int quads) {
  const QuadPlace at = quad_place(height, width, quads);
  if (!at.inside) return;
  const std::int64_t block = ((at.image * height + at.y) * 4 * width + 2 * at.x) * quads + at.q;
  const float4 a = out_gradient[block], b = out_gradient[block + quads];
  const float4* below = out_gradient + block + 2 * width * quads;
  const float4 c = below[0], d = below[quads];
  const float4 z = out[block];
  in_gradient[((at.image * height + at.y) * width + at.x) * quads + at.q] = {
      sum_where_open(a.x, b.x, c.x, d.x, z.x), sum_where_open(a.y, b.y, c.y, d.y, z.y),
      sum_where_open(a.z, b.z, c.z, d.z, z.z), sum_where_open(a.w, b.w, c.w, d.w, z.w)};
}

}  // namespace

void upsample_backward(const float* out_gradient, const float* out, float* in_gradient,
                       const ActivationShape& in_shape, gpu::Stream stream) {
  if (in_shape.size() == 0) return;
  gpu::launch("upsample_backward",
              quad_shape("upsample_backward", in_shape, in_shape.height * in_shape.width, stream),
              upsample_backward_kernel, reinterpret_cast<const float4*>(out_gradient),
              reinterpret_cast<const float4*>(out), reinterpret_cast<float4*>(in_gradient), in_shape.height,
              in_shape.width, in_shape.channels / 4);
}

}  // namespace lookalike::cuda
