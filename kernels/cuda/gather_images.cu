#include "kernels/cuda/gather_images.h"
#include "kernels/cuda/gpu.h"
#include "kernels/topology.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWords = kImageBytes / 4;
static_assert(kImageBytes % 4 == 0);

__global__ void __launch_bounds__(kThreads)
    gather_images_kernel(const std::uint32_t* __restrict__ images, const std::int64_t* __restrict__ numbers,
                         std::uint32_t* __restrict__ out) {
  const int word = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (word >= kWords) return;
  out[std::int64_t{blockIdx.y} * kWords + word] = images[numbers[blockIdx.y] * kWords + word];
}

}  // namespace

void gather_images(const std::uint8_t* images, const std::int64_t* numbers, std::int64_t count,
                   std::uint8_t* out, gpu::Stream stream) {
  constexpr auto kBlocks = static_cast<unsigned>((kWords + kThreads - 1) / kThreads);
  if (count == 0) return;
  gpu::launch("gather_images", {{kBlocks, static_cast<unsigned>(count)}, kThreads, 0, stream},
              gather_images_kernel, reinterpret_cast<const std::uint32_t*>(images), numbers,
              reinterpret_cast<std::uint32_t*>(out));
}

}  // namespace lookalike::cuda
