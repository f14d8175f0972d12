#include "engine/cuda_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "engine/error.h"

namespace lookalike {
namespace {

constexpr const char* kDriver = "libcuda.so.1";
constexpr int kLeastDriver = 13000;  // CUDA 13.0, which the engine is built with
constexpr int kLeastCapability = 80;
constexpr std::size_t kLeastMemory = std::size_t{1} << 30;  // bytes: context, libraries, one part of images

// The driver's functions that are asked, as cuda.h declares them: CUresult and CUdevice are int.
struct DriverFunctions {
  int (*init)(unsigned flags);
  int (*version)(int* version);
  int (*count)(int* count);
  int (*get)(int* device, int ordinal);
  int (*name)(char* name, int length, int device);
  int (*attribute)(int* value, int which, int device);
  int (*memory)(std::size_t* bytes, int device);
};
constexpr int kMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kMinor = 76;

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::string dotted(int version) {  // 13000 -> "13.0"
  return std::to_string(version / 1000) + '.' + std::to_string(version % 1000 / 10);
}

std::string gibibytes(std::size_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f GiB", static_cast<double>(bytes) / 0x1p30);
  return text.data();
}

CudaDriver ask(const DriverFunctions& driver) {
  CudaDriver answer;
  const auto fails = [&](int status, const char* what) {
    if (status != 0)
      answer.missing =
          std::string("the NVIDIA driver fails: ") + what + " gives error " + std::to_string(status);
    return status != 0;
  };
  int version = 0, count = 0, device = 0, major = 0, minor = 0;
  std::size_t memory = 0;
  std::array<char, 256> name{};
  if (fails(driver.init(0), "cuInit") || fails(driver.version(&version), "cuDriverGetVersion")) return answer;
  if (version < kLeastDriver) {
    answer.missing = "the NVIDIA driver is for CUDA " + dotted(version) + ", " + dotted(kLeastDriver) +
                     " or later is needed";
    return answer;
  }
  if (fails(driver.count(&count), "cuDeviceGetCount")) return answer;
  if (count == 0) {
    answer.missing = "the NVIDIA driver knows no GPU";
    return answer;
  }
  if (fails(driver.get(&device, 0), "cuDeviceGet") ||
      fails(driver.name(name.data(), static_cast<int>(name.size()) - 1, device), "cuDeviceGetName") ||
      fails(driver.attribute(&major, kMajor, device), "cuDeviceGetAttribute") ||
      fails(driver.attribute(&minor, kMinor, device), "cuDeviceGetAttribute") ||
      fails(driver.memory(&memory, device), "cuDeviceTotalMem"))
    return answer;
  const std::string capability = std::to_string(major) + '.' + std::to_string(minor);
  answer.gpu =
      std::string(name.data()) + " (compute capability " + capability + ", " + gibibytes(memory) + ")";
  if (10 * major + minor < kLeastCapability)
    answer.missing = answer.gpu + " is too old, compute capability 8.0 or later is needed";
  else if (memory < kLeastMemory)
    answer.missing = answer.gpu + " is too small, " + gibibytes(kLeastMemory) + " of memory is needed";
  return answer;
}

std::string library_path() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "liblookalike_cuda.so").string();
}

Error not_to_be_had(const std::string& missing) {
  return usage_error("device cuda cannot be had, " + missing + ", use --device cpu or auto");
}

}  // namespace

bool has_cuda_driver() {
  void* library = dlopen(kDriver, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return false;
  dlclose(library);  // nothing of it has run
  return true;
}

CudaDriver find_cuda_driver() {
  // Never closed: a driver that has started does not unload cleanly.
  void* library = dlopen(kDriver, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {"there is no NVIDIA driver (libcuda.so.1)", ""};
  DriverFunctions driver{};
  const bool complete =
      find(library, "cuInit", driver.init) && find(library, "cuDriverGetVersion", driver.version) &&
      find(library, "cuDeviceGetCount", driver.count) && find(library, "cuDeviceGet", driver.get) &&
      find(library, "cuDeviceGetName", driver.name) &&
      find(library, "cuDeviceGetAttribute", driver.attribute) &&
      find(library, "cuDeviceTotalMem_v2", driver.memory);
  if (!complete) return {"libcuda.so.1 is not an NVIDIA driver of today", ""};
  return ask(driver);
}

std::unique_ptr<Device> load_cuda_device() {
  const CudaDriver driver = find_cuda_driver();
  if (!driver.missing.empty()) throw not_to_be_had(driver.missing);
  const std::string path = library_path();
  if (access(path.c_str(), F_OK) != 0)
    throw not_to_be_had("this build has no CUDA engine (" + path + "), build where there is a CUDA toolkit");
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw not_to_be_had(std::string("its library cannot be loaded: ") + dlerror() +
                        " (tools/requirements-cuda.txt has CUDA's; LD_LIBRARY_PATH names their folder)");
  MakeCudaDevice make = nullptr;
  Device* device = find(library, kCudaEntry, make) ? make(kCudaInterface) : nullptr;
  if (device == nullptr) throw not_to_be_had(path + " is of another build, build both again");
  return std::unique_ptr<Device>(device);
}

}  // namespace lookalike
