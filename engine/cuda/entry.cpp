// What the program finds in the library: engine/cuda_library.h.
#include <type_traits>

#include "engine/cuda/device.h"
#include "engine/cuda_library.h"

extern "C" lookalike::Device* lookalike_make_cuda_device(int interface) {
  if (interface != lookalike::kCudaInterface) return nullptr;
  return lookalike::cuda::make_cuda_device({}).release();
}
static_assert(std::is_same_v<decltype(&lookalike_make_cuda_device), lookalike::MakeCudaDevice>);
