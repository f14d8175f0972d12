#include "engine/device.h"

#include "engine/cuda_library.h"
#include "engine/error.h"

namespace lookalike {
namespace {

// The CUDA engine has never run on a GPU: until it has, it is for those who ask for it.
std::string why_cpu() {
  if (!has_cuda_driver()) return "cpu: there is no NVIDIA driver";
  return "cpu: an NVIDIA driver is here, but the CUDA engine has not yet run on a GPU; lookalike doctor says "
         "whether --device cuda can be had";
}

}  // namespace

std::unique_ptr<Device> make_device(const std::string& name, int threads, std::string* reason) {
  if (name == "cpu") {
    if (reason != nullptr) *reason = "cpu: asked for";
    return make_cpu_device(threads);
  }
  if (name == "auto") {
    if (reason != nullptr) *reason = why_cpu();
    return make_cpu_device(threads);
  }
  if (name == "cuda") {
    auto device = load_cuda_device();
    if (reason != nullptr)
      *reason = "cuda: asked for, " + device->facts().name + "; it has not yet run on a GPU";
    return device;
  }
  throw usage_error("unknown device '" + name + "', use auto, cpu or cuda");
}

}  // namespace lookalike
