#include "kernels/cuda/activation_shape.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/sigmoid.h"
#include "kernels/cuda/sigmoid_loss.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 4;  // elements of a thread, a block's width apart
static_assert(kLossBlocks == (kLogits + kThreads * kEach - 1) / (kThreads * kEach));

// log((1 - kProbabilityClip) / kProbabilityClip): beyond it the clip changes p.
constexpr float kLimit = 16.118095550958317F;

// Sum over the block in a fixed order; thread 0 has it.
GPU_DEVICE double block_sum(double value) {
  GPU_SHARED(double, sums, [kThreads]);
  sums[threadIdx.x] = value;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return sums[0];
}

// Elements kThreads apart of block blockIdx.x of image blockIdx.y.
__global__ void __launch_bounds__(kThreads) loss_kernel(const SigmoidLoss of) {
  const std::int64_t image = blockIdx.y;
  const float* logits = of.logits + image * kLogits;
  const std::uint8_t* target = of.images + image * kImageBytes;
  double sum = 0.0;
  GPU_UNROLL
  for (int n = 0; n < kEach; ++n) {
    const int i = (static_cast<int>(blockIdx.x) * kEach + n) * kThreads + static_cast<int>(threadIdx.x);
    if (i >= kLogits) break;
    const int y = i / kLogitRow - kBorder;
    const int x = i % kLogitRow - kBorder * kImageChannels;  // in elements
    float slope = 0.0F;
    if (y >= 0 && y < kImageSize && x >= 0 && x < kPixelRow) {
      const float z = logits[i] + of.bias[x % kImageChannels];
      const float t = __fdiv_rn(static_cast<float>(target[y * kPixelRow + x]), 255.0F);
      const bool clipped = fabsf(z) >= kLimit;
      const float c = !clipped ? z : z < 0.0F ? -kLimit : kLimit;
      const Sigmoid p = sigmoid(c);
      // -t log q - (1 - t) log(1 - q) = max(c, 0) - c t + log(1 + exp(-|c|))
      sum += static_cast<double>((c > 0.0F ? c : 0.0F) - c * t + log1pf(p.e));
      if (!clipped) slope = (p.probability - t) * of.scale;
    }
    if (of.gradient != nullptr) of.gradient[image * kLogits + i] = slope;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) of.partial[image * kLossBlocks + blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads)
    sum_partial_kernel(const double* __restrict__ partial, double* __restrict__ loss, std::int64_t images) {
  const std::int64_t image = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (image >= images) return;
  double sum = 0.0;
  for (int b = 0; b < kLossBlocks; ++b) sum += partial[image * kLossBlocks + b];
  loss[image] = sum;
}

}  // namespace

void sigmoid_loss(const SigmoidLoss& of, std::int64_t images, gpu::Stream stream) {
  if (images == 0) return;
  if (images > kMaxImages) throw gpu::Error("sigmoid_loss: too many images");
  gpu::launch("sigmoid_loss", {{kLossBlocks, static_cast<unsigned>(images)}, kThreads, 0, stream},
              loss_kernel, of);
  const auto blocks = static_cast<unsigned>(gpu::ceil_div(images, std::int64_t{kThreads}));
  gpu::launch("sigmoid_loss's sum", {blocks, kThreads, 0, stream}, sum_partial_kernel, of.partial, of.loss,
              images);
}

}  // namespace lookalike::cuda
