// gpu.h under nvcc.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "kernels/cuda/runtime.h"

#define GPU_DEVICE __device__ __forceinline__
#define GPU_BOTH __host__ __device__ __forceinline__
#define GPU_UNROLL _Pragma("unroll")
#define GPU_NO_UNROLL _Pragma("unroll 1")
#define GPU_SHARED(T, name, dims) __shared__ T name dims
#define GPU_DYNAMIC_SHARED(name)                                        \
  extern __shared__ __align__(1024) unsigned char gpu_dynamic_shared[]; \
  unsigned char* const name = gpu_dynamic_shared

namespace lookalike::gpu {

struct Shape {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  Stream stream = nullptr;
};

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), status == cudaErrorMemoryAllocation);
}

// Queues kernel<<<shape>>>(arguments...). `name` stands in the message of a failed launch.
template <class... Parameters, class... Arguments>
void launch(const char* name, const Shape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  if (shape.shared_bytes >
      32 * 1024)  // with static shared memory the sum may pass the 48 KB that need no asking
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.shared_bytes)),
          name);
  kernel<<<shape.grid, shape.block, shape.shared_bytes, shape.stream>>>(
      static_cast<Parameters>(arguments)...);
  check(cudaGetLastError(), name);
}

}  // namespace lookalike::gpu
