#include "kernels/cuda/bias_relu_upsample.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/quads.h"

namespace lookalike::cuda {
namespace {

__global__ void __launch_bounds__(kQuadThreads)
    bias_relu_upsample_kernel(const float4* __restrict__ in, const float4* __restrict__ bias,
                              float4* __restrict__ out, int height, int width, int quads) {
  const QuadPlace at = quad_place(height, width, quads);
  if (!at.inside) return;
  const float4 v = in[((at.image * height + at.y) * width + at.x) * quads + at.q];
  const float4 add = bias[at.q];
  const float4 open = {relu(v.x + add.x), relu(v.y + add.y), relu(v.z + add.z), relu(v.w + add.w)};
  float4* block = out + ((at.image * height + at.y) * 4 * width + 2 * at.x) * quads + at.q;
  block[0] = open;
  block[quads] = open;
  block += 2 * width * quads;
  block[0] = open;
  block[quads] = open;
}

}  // namespace

void bias_relu_upsample(const float* in, const float* bias, float* out, const ActivationShape& in_shape,
                        gpu::Stream stream) {
  if (in_shape.size() == 0) return;
  gpu::launch("bias_relu_upsample",
              quad_shape("bias_relu_upsample", in_shape, in_shape.height * in_shape.width, stream),
              bias_relu_upsample_kernel, reinterpret_cast<const float4*>(in),
              reinterpret_cast<const float4*>(bias), reinterpret_cast<float4*>(out), in_shape.height,
              in_shape.width, in_shape.channels / 4);
}

}  // namespace lookalike::cuda
