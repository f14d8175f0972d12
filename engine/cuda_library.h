// The CUDA engine is a shared library beside the program, liblookalike_cuda.so, loaded only where a driver
// answers: a machine without a GPU needs none of CUDA's libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/device.h"

namespace lookalike {

// The first GPU, as the driver tells of it.
struct CudaDriver {
  std::string missing;  // what keeps the engine from running there; empty: nothing
  std::string gpu;      // "NVIDIA H100 80GB HBM3 (compute capability 9.0, 79.1 GiB)", where one was found
};
CudaDriver find_cuda_driver();  // starts the driver, which may take a second

// Whether there is one, which is only looked for.
bool has_cuda_driver();

// Throws E_USAGE, naming what is missing: driver, GPU, compute capability, memory, library.
std::unique_ptr<Device> load_cuda_device();

// What the library exports. Both sides are built from one source: a library of another build is refused.
inline constexpr const char* kCudaEntry = "lookalike_make_cuda_device";
inline constexpr int kCudaInterface = 2;            // grows whenever device.h's Device changes
using MakeCudaDevice = Device* (*)(int interface);  // null: another interface. Throws as make_cuda_device.

}  // namespace lookalike
