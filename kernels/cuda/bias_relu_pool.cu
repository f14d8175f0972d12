#include "kernels/cuda/bias_relu_pool.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/quads.h"

namespace lookalike::cuda {
namespace {

struct Winner {
  float value;
  unsigned char at;
};
// The bias is the same in a window, so the maximum is found without it: rounded sums would tie where their
// terms do not.
GPU_DEVICE Winner winner(float a, float b, float c, float d, float bias) {
  Winner best{a, 0};
  if (b > best.value) best = {b, 1};
  if (c > best.value) best = {c, 2};
  if (d > best.value) best = {d, 3};
  const float value = best.value + bias;
  return {relu(value), value > 0.0F ? best.at : static_cast<unsigned char>(4)};
}

__global__ void __launch_bounds__(kQuadThreads)
    bias_relu_pool_kernel(const float4* __restrict__ in, const float4* __restrict__ bias,
                          float4* __restrict__ out, uchar4* __restrict__ winners, int height, int width,
                          int quads) {
  const QuadPlace at = quad_place(height / 2, width / 2, quads);
  if (!at.inside) return;
  const float4* window = in + ((at.image * height + 2 * at.y) * width + 2 * at.x) * quads + at.q;
  const float4 a = window[0], b = window[quads];
  window += width * quads;
  const float4 c = window[0], d = window[quads];
  const float4 add = bias[at.q];
  const Winner x = winner(a.x, b.x, c.x, d.x, add.x);
  const Winner y = winner(a.y, b.y, c.y, d.y, add.y);
  const Winner z = winner(a.z, b.z, c.z, d.z, add.z);
  const Winner w = winner(a.w, b.w, c.w, d.w, add.w);
  const std::int64_t to = ((at.image * (height / 2) + at.y) * (width / 2) + at.x) * quads + at.q;
  out[to] = {x.value, y.value, z.value, w.value};
  if (winners != nullptr) winners[to] = {x.at, y.at, z.at, w.at};
}

}  // namespace

void bias_relu_pool(const float* in, const float* bias, float* out, std::uint8_t* winners,
                    const ActivationShape& in_shape, gpu::Stream stream) {
  if (in_shape.height % 2 != 0 || in_shape.width % 2 != 0)
    throw gpu::Error("bias_relu_pool: height and width are not even");
  if (in_shape.size() == 0) return;
  gpu::launch("bias_relu_pool",
              quad_shape("bias_relu_pool", in_shape, in_shape.height / 2 * (in_shape.width / 2), stream),
              bias_relu_pool_kernel, reinterpret_cast<const float4*>(in),
              reinterpret_cast<const float4*>(bias), reinterpret_cast<float4*>(out),
              reinterpret_cast<uchar4*>(winners), in_shape.height, in_shape.width, in_shape.channels / 4);
}

}  // namespace lookalike::cuda
