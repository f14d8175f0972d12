// kernels/cuda/runtime.h on the host: streams run their work at once, in order. Device memory starts as 0xff,
// NaN in every float format.
#include "kernels/cuda/runtime.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/cuda/tensor_map.h"

struct CUstream_st {};
struct CUevent_st {
  bool recorded = false;
};

namespace lookalike::gpu {

bool available(std::string*) noexcept { return true; }

Properties properties() { return {"emulated", 9, 0, 2, std::int64_t{1} << 32, 227 << 10}; }

void* allocate(std::size_t bytes) {
  void* p = nullptr;
  if (posix_memalign(&p, 256, bytes) != 0) throw Error("allocate: out of memory", true);
  std::memset(p, 0xff, bytes);
  return p;
}
void* allocate_pinned(std::size_t bytes) { return allocate(bytes); }
void release(void* p) noexcept { std::free(p); }
void release_pinned(void* p) noexcept { std::free(p); }
std::int64_t free_bytes() { return properties().memory_bytes; }

void copy(void* to, const void* from, std::size_t bytes, Stream) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}
void fill(void* p, unsigned char byte, std::size_t bytes, Stream) {
  if (bytes != 0) std::memset(p, byte, bytes);
}

Stream make_stream() { return new CUstream_st; }
void release_stream(Stream stream) noexcept { delete stream; }
void synchronize(Stream) {}
Event make_event() { return new CUevent_st; }
void release_event(Event event) noexcept { delete event; }
void record(Event event, Stream) { event->recorded = true; }
void wait(Stream, Event event) {
  if (!event->recorded) throw Error("wait for an event that was not recorded");
}
void wait_for(Event) {}
double milliseconds(Event, Event) { return 0.0; }

TensorMap make_tensor_map(const TensorLayout& layout) {
  const auto address = reinterpret_cast<std::uintptr_t>(layout.base);
  if (address % 16 != 0 || layout.pitch_y % 16 != 0 || layout.pitch_z % 16 != 0 || layout.size_x < 1 ||
      layout.size_y < 1 || layout.size_z < 1 || layout.size_x * 2 > layout.pitch_y || layout.box_x < 1 ||
      layout.box_x > 256 || layout.box_x % 8 != 0 || layout.box_y < 1 || layout.box_y > 256) {
    throw Error("make_tensor_map: bad alignment, size or box");
  }
  static_assert(sizeof(TensorLayout) <= sizeof(TensorMap));
  TensorMap map{};
  std::memcpy(map.bytes, &layout, sizeof layout);
  return map;
}

}  // namespace lookalike::gpu
