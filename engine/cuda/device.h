// The CUDA engine behind engine/device.h.
#pragma once

#include <memory>

#include "engine/device.h"

namespace lookalike::cuda {

struct CudaOptions {
  // Images that encode, decode and loss compute at once. Always so many, whatever the call brings: an image's
  // bytes then do not depend on the batch that it came in.
  std::int64_t forward_images = 64;
  // Most images of a training batch that are on the device at once. Larger batches are cut, and the cut is
  // the same everywhere: gradients of the parts are added in order.
  std::int64_t training_images = 256;
  // Images on the device at once where encode is in fp16: eight for each processor of an H100.
  std::int64_t half_images = 1056;
  // Most device memory for activations, in bytes; 0: what is free.
  std::int64_t memory_bytes = 0;
};

// Throws E_USAGE where no device answers. A failure of the device later throws E_DEVICE.
std::unique_ptr<Device> make_cuda_device(const CudaOptions& options);

}  // namespace lookalike::cuda
