#include "kernels/cuda/gpu.h"
#include "kernels/cuda/pad_bytes.h"
#include "kernels/topology.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRow = kGridSize * kImageChannels;  // elements of a padded row
constexpr int kPadded = kGridSize * kRow;         // of a padded image

__global__ void __launch_bounds__(kThreads)
    pad_bytes_kernel(const std::uint8_t* __restrict__ in, float* __restrict__ out, std::int64_t elements) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= elements) return;
  const std::int64_t image = i / kPadded;
  const int within = static_cast<int>(i - image * kPadded);
  const int y = within / kRow - kBorder;
  const int x = within % kRow - kBorder * kImageChannels;  // in elements
  const bool inside = y >= 0 && y < kImageSize && x >= 0 && x < kImageSize * kImageChannels;
  const std::int64_t from = image * kImageBytes + y * (kImageSize * kImageChannels) + x;
  out[i] = inside ? __fdiv_rn(static_cast<float>(in[from]), 255.0F) : 0.0F;
}

}  // namespace

void pad_bytes(const std::uint8_t* in, float* out, std::int64_t images, gpu::Stream stream) {
  const std::int64_t elements = images * kPadded;
  if (elements == 0) return;
  const auto blocks = static_cast<unsigned>(gpu::ceil_div(elements, std::int64_t{kThreads}));
  gpu::launch("pad_bytes", {blocks, kThreads, 0, stream}, pad_bytes_kernel, in, out, elements);
}

}  // namespace lookalike::cuda
