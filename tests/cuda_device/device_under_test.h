// The CUDA engine for tests, with batches so small that the emulator is quick.
#pragma once

#include "engine/cuda/device.h"

namespace lookalike::test {

inline std::unique_ptr<Device> small_cuda_device(std::int64_t forward_images = 2,
                                                 std::int64_t training_images = 3) {
  cuda::CudaOptions options;
  options.forward_images = forward_images;
  options.training_images = training_images;
  options.half_images = 2;
  return cuda::make_cuda_device(options);
}

}  // namespace lookalike::test
