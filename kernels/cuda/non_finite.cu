#include <cfloat>

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/non_finite.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;

struct Bounds {
  int begin[kMaxTensors + 1];
};

__global__ void __launch_bounds__(kThreads)
    find_non_finite_kernel(const float* __restrict__ values, const Bounds bounds,
                           std::int32_t* __restrict__ found) {
  const int tensor = static_cast<int>(blockIdx.x);
  int bad = 0;
  for (int i = bounds.begin[tensor] + static_cast<int>(threadIdx.x); i < bounds.begin[tensor + 1];
       i += kThreads)
    bad |= fabsf(values[i]) <= FLT_MAX ? 0 : 1;
  bad = __syncthreads_or(bad);
  if (threadIdx.x == 0) found[tensor] = bad != 0 ? 1 : 0;
}

}  // namespace

void find_non_finite(const float* values, const TensorBounds& bounds, std::int32_t* found,
                     gpu::Stream stream) {
  if (bounds.tensors < 0 || bounds.tensors > kMaxTensors)
    throw gpu::Error("find_non_finite: too many tensors");
  if (bounds.tensors == 0) return;
  Bounds copy{};
  for (int t = 0; t <= bounds.tensors; ++t) copy.begin[t] = bounds.begin[static_cast<std::size_t>(t)];
  gpu::launch("find_non_finite", {static_cast<unsigned>(bounds.tensors), kThreads, 0, stream},
              find_non_finite_kernel, values, copy, found);
}

}  // namespace lookalike::cuda
