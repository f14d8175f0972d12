// What the device could not do, as this project's errors.
#pragma once

#include <string>
#include <type_traits>

#include "engine/error.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

template <class Work>
std::invoke_result_t<Work> guarded(const Work& work) {
  try {
    return work();
  } catch (const gpu::Error& error) {
    if (error.out_of_memory)
      throw system_error(std::string("device memory: ") + error.what() +
                         ", close what else runs on the GPU, or use --device cpu");
    throw device_error(std::string("the GPU failed: ") + error.what() + ", use --device cpu");
  }
}

}  // namespace lookalike::cuda
