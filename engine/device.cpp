#include "engine/device.h"

#include "engine/error.h"

namespace lookalike {

std::unique_ptr<Device> make_device(const std::string& name, int threads, std::string* reason) {
  const auto explain = [reason](const char* text) {
    if (reason != nullptr) *reason = text;
  };
  if (name == "cpu") {
    explain("cpu: asked for");
    return make_cpu_device(threads);
  }
  if (name == "auto") {
    explain("cpu: this build has no CUDA engine");
    return make_cpu_device(threads);
  }
  if (name == "cuda") {
    throw usage_error("device cuda cannot be had, this build has no CUDA engine, use --device cpu or auto");
  }
  throw usage_error("unknown device '" + name + "', use auto, cpu or cuda");
}

}  // namespace lookalike
