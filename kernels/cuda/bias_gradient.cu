#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/gpu.h"

namespace lookalike::cuda {
namespace {

// Threads keep their channel while they step by the block's width: it is a multiple of K, and of a warp.
constexpr int kThreads = 192;
constexpr std::int64_t kLeast = 32;  // elements of a thread worth a block

// Block b adds the elements b `share` .. of (P, K) in (count) channel by channel -> out[b] (K).
template <class In, class Out>
__global__ void __launch_bounds__(kThreads)
    channel_sums_kernel(const In* __restrict__ in, std::int64_t count, std::int64_t share,
                        Out* __restrict__ out, int channels, bool accumulate) {
  GPU_SHARED(double, sums, [kThreads]);
  const std::int64_t begin = blockIdx.x * share;
  const std::int64_t end = min(count, begin + share);
  double sum = 0.0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += static_cast<double>(in[i]);
  sums[threadIdx.x] = sum;
  __syncthreads();
  const int k = static_cast<int>(threadIdx.x);
  if (k >= channels) return;
  double total = 0.0;
  for (int t = k; t < kThreads; t += channels) total += sums[t];
  Out* to = out + static_cast<std::int64_t>(blockIdx.x) * channels + k;
  *to = accumulate ? *to + static_cast<Out>(total) : static_cast<Out>(total);
}

}  // namespace

void bias_gradient(const float* gradient, double* partial, float* out, std::int64_t pixels, int channels,
                   bool accumulate, gpu::Stream stream) {
  if (channels < 1 || kThreads % channels != 0)
    throw gpu::Error("bias_gradient: the number of channels does not divide " + std::to_string(kThreads));
  const std::int64_t count = pixels * channels;
  const std::int64_t steps = gpu::ceil_div(count, std::int64_t{kThreads});
  const std::int64_t share = kThreads * max(kLeast, gpu::ceil_div(steps, std::int64_t{kBiasBlocks}));
  const std::int64_t blocks = max(std::int64_t{1}, gpu::ceil_div(count, share));
  gpu::launch("bias_gradient", {static_cast<unsigned>(blocks), kThreads, 0, stream},
              channel_sums_kernel<float, double>, gradient, count, share, partial, channels, false);
  gpu::launch("bias_gradient's sum", {1, kThreads, 0, stream}, channel_sums_kernel<double, float>, partial,
              blocks * channels, blocks * channels, out, channels, accumulate);
}

}  // namespace lookalike::cuda
