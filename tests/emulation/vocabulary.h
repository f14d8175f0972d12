// The words of CUDA C++ that kernels use, for a C++ compiler.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/emulation/machine.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __grid_constant__
#define __launch_bounds__(...)

#define GPU_DEVICE inline
#define GPU_BOTH inline
#define GPU_UNROLL
#define GPU_NO_UNROLL
#define GPU_SHARED(T, name, dims)                              \
  static ::lookalike::emu::SharedVariable name##_of_the_block; \
  auto& name = ::lookalike::emu::shared<T dims>(name##_of_the_block)
#define GPU_DYNAMIC_SHARED(name) unsigned char* const name = ::lookalike::emu::dynamic_shared()

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

inline void __syncthreads(EMU_SITE) { lookalike::emu::barrier(0, 0, true, 0, "__syncthreads", EMU_HERE); }
inline int __syncthreads_count(int p, EMU_SITE) {
  return lookalike::emu::barrier(0, 0, true, p, "__syncthreads_count", EMU_HERE).count;
}
inline int __syncthreads_and(int p, EMU_SITE) {
  return lookalike::emu::barrier(0, 0, true, p, "__syncthreads_and", EMU_HERE).all;
}
inline int __syncthreads_or(int p, EMU_SITE) {
  return lookalike::emu::barrier(0, 0, true, p, "__syncthreads_or", EMU_HERE).any;
}
inline void __threadfence() { lookalike::emu::thread_fence(); }
inline void __threadfence_block() { lookalike::emu::thread_fence(); }

#include "tests/emulation/atomics.h"
#include "tests/emulation/intrinsics.h"
#include "tests/emulation/warp.h"
