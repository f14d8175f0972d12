#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/sigmoid.h"
#include "kernels/cuda/sigmoid_bytes.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    sigmoid_bytes_kernel(const float* __restrict__ in, const float* __restrict__ bias,
                         std::uint8_t* __restrict__ out) {
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i >= kImageBytes) return;
  const int y = i / kPixelRow + kBorder;
  const int x = i % kPixelRow + kBorder * kImageChannels;  // in elements
  const float z = in[blockIdx.y * std::int64_t{kLogits} + y * kLogitRow + x] + bias[x % kImageChannels];
  out[blockIdx.y * kImageBytes + i] =
      static_cast<std::uint8_t>(__float2int_rn(255.0F * sigmoid(z).probability));
}

}  // namespace

void sigmoid_bytes(const float* in, const float* bias, std::uint8_t* out, std::int64_t images,
                   gpu::Stream stream) {
  if (images == 0) return;
  if (images > kMaxImages) throw gpu::Error("sigmoid_bytes: too many images");
  const auto blocks = static_cast<unsigned>(gpu::ceil_div(kImageBytes, std::int64_t{kThreads}));
  gpu::launch("sigmoid_bytes", {{blocks, static_cast<unsigned>(images)}, kThreads, 0, stream},
              sigmoid_bytes_kernel, in, bias, out);
}

}  // namespace lookalike::cuda
