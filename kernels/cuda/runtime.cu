#include <cuda.h>
#include <cuda_runtime.h>

#include <array>
#include <cstring>

#include "kernels/cuda/device_vocabulary.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/tensor_map.h"

namespace lookalike::gpu {
namespace {

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

bool available(std::string* reason) noexcept {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return true;
  (void)cudaGetLastError();
  if (reason != nullptr)
    *reason = status == cudaSuccess ? "the driver knows no CUDA device" : cudaGetErrorString(status);
  return false;
}

Properties properties() {
  cudaDeviceProp all{};
  check(cudaGetDeviceProperties(&all, 0), "cudaGetDeviceProperties");
  Properties result;
  result.name = all.name;
  result.major = all.major;
  result.minor = all.minor;
  result.multiprocessors = all.multiProcessorCount;
  result.memory_bytes = static_cast<std::int64_t>(all.totalGlobalMem);
  result.shared_bytes = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  return result;
}

void* allocate(std::size_t bytes) {
  void* p = nullptr;
  check(cudaMalloc(&p, bytes), "cudaMalloc");
  return p;
}
void* allocate_pinned(std::size_t bytes) {
  void* p = nullptr;
  check(cudaMallocHost(&p, bytes), "cudaMallocHost");
  return p;
}
void release(void* p) noexcept { (void)cudaFree(p); }
void release_pinned(void* p) noexcept { (void)cudaFreeHost(p); }
std::int64_t free_bytes() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<std::int64_t>(free);
}

void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (bytes != 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
}
void fill(void* p, unsigned char byte, std::size_t bytes, Stream stream) {
  if (bytes != 0) check(cudaMemsetAsync(p, byte, bytes, stream), "cudaMemsetAsync");
}

Stream make_stream() {
  Stream stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return stream;
}
void release_stream(Stream stream) noexcept { (void)cudaStreamDestroy(stream); }
void synchronize(Stream stream) { check(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }

Event make_event() {
  Event event = nullptr;
  check(cudaEventCreate(&event), "cudaEventCreate");
  return event;
}
void release_event(Event event) noexcept { (void)cudaEventDestroy(event); }
void record(Event event, Stream stream) { check(cudaEventRecord(event, stream), "cudaEventRecord"); }
void wait(Stream stream, Event event) { check(cudaStreamWaitEvent(stream, event), "cudaStreamWaitEvent"); }
void wait_for(Event event) { check(cudaEventSynchronize(event), "cudaEventSynchronize"); }
double milliseconds(Event from, Event to) {
  float result = 0;
  check(cudaEventSynchronize(to), "cudaEventSynchronize");
  check(cudaEventElapsedTime(&result, from, to), "cudaEventElapsedTime");
  return static_cast<double>(result);
}

// The driver's function is looked up, so that nothing links with libcuda.
TensorMap make_tensor_map(const TensorLayout& layout) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  check(
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
      "cuTensorMapEncodeTiled");
  if (found != cudaDriverEntryPointSuccess) throw Error("the driver has no cuTensorMapEncodeTiled");
  const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  const std::array<cuuint64_t, 3> size = {static_cast<cuuint64_t>(layout.size_x),
                                          static_cast<cuuint64_t>(layout.size_y),
                                          static_cast<cuuint64_t>(layout.size_z)};
  const std::array<cuuint64_t, 2> pitch = {static_cast<cuuint64_t>(layout.pitch_y),
                                           static_cast<cuuint64_t>(layout.pitch_z)};
  const std::array<cuuint32_t, 3> box = {layout.box_x, layout.box_y, 1};
  const std::array<cuuint32_t, 3> step = {1, 1, 1};
  CUtensorMap map;
  const CUresult status =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 3, const_cast<void*>(layout.base), size.data(),
             pitch.data(), box.data(), step.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    throw Error("cuTensorMapEncodeTiled: error " + std::to_string(static_cast<int>(status)));
  static_assert(sizeof(CUtensorMap) == sizeof(TensorMap));
  TensorMap result;
  std::memcpy(result.bytes, &map, sizeof map);
  return result;
}

}  // namespace lookalike::gpu
