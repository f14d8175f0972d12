// The one header that kernels include: CUDA under nvcc, elsewhere the emulator of tests/emulation, which
// runs the same source on the CPU. Kernel files hold no #ifdef.
//
//   GPU_DEVICE, GPU_BOTH                 functions of the device; of host and device
//   GPU_SHARED(float, tile, [8][33])     shared array of a block
//   GPU_DYNAMIC_SHARED(raw)              unsigned char* to the launch's shared bytes, 1,024-aligned
//   GPU_UNROLL, GPU_NO_UNROLL            before a loop
//   gpu::launch(name, shape, kernel, arguments...)
//   ptx.h, ptx_hopper.h                  one function for each PTX instruction
// Beyond these a kernel uses the vocabulary of CUDA C++ as far as tests/emulation has it.
#pragma once

#include "kernels/cuda/runtime.h"

#if defined(__CUDACC__)
#include "kernels/cuda/device_vocabulary.h"
#include "kernels/cuda/ptx.h"
#include "kernels/cuda/ptx_hopper.h"
#else
#include "tests/emulation/launch.h"
#include "tests/emulation/ptx.h"
#include "tests/emulation/vocabulary.h"
#endif

namespace lookalike::gpu {

template <class Integer>
constexpr Integer ceil_div(Integer a, Integer b) {
  return (a + b - 1) / b;
}

}  // namespace lookalike::gpu
