// kernels/cuda/runtime.h on the host. Device memory starts as 0xff, NaN in every float format.
#include "kernels/cuda/runtime.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <utility>

#include "kernels/cuda/tensor_map.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/streams.h"

struct CUstream_st {
  std::deque<std::function<void()>> work;
  std::int64_t queued = 0, begun = 0;  // pieces of work so far
};
struct CUevent_st {
  CUstream_st* stream = nullptr;  // null: recorded on the default stream, or on one that is gone
  std::int64_t after = 0;         // pieces of work of the stream
  bool recorded = false;
};

namespace lookalike::gpu {
namespace {

enum class Memory { kPageable, kPinned, kDevice };
struct Block {
  std::size_t bytes;
  Memory memory;
};
std::map<const void*, Block>& blocks() {
  static std::map<const void*, Block> map;
  return map;
}
std::set<Stream>& streams() {
  static std::set<Stream> set;
  return set;
}
std::set<Event>& events() {
  static std::set<Event> set;
  return set;
}
int allocations_left = -1;

Memory memory_of(const void* p) {
  auto after = blocks().upper_bound(p);
  if (after == blocks().begin()) return Memory::kPageable;
  --after;
  const auto* begin = static_cast<const unsigned char*>(after->first);
  return static_cast<const unsigned char*>(p) < begin + after->second.bytes ? after->second.memory
                                                                            : Memory::kPageable;
}

// Runs the stream's first pieces of work; each may run other streams as far as it waits for them.
void run_until(Stream stream, std::int64_t count) {
  while (stream->begun < count) {
    const std::function<void()> work = std::move(stream->work.front());
    stream->work.pop_front();
    ++stream->begun;
    work();
  }
}

void* allocate_as(Memory memory, std::size_t bytes) {
  if (allocations_left == 0) {
    allocations_left = -1;
    throw Error("allocate: out of memory", true);
  }
  if (allocations_left > 0) --allocations_left;
  void* p = nullptr;
  if (posix_memalign(&p, 256, bytes) != 0) throw Error("allocate: out of memory", true);
  std::memset(p, 0xff, bytes);
  blocks()[p] = {bytes, memory};
  return p;
}

// As CUDA does, when all queued work is done; what that did wrong is no longer anyone's.
void release_memory(void* p) noexcept {
  if (p == nullptr) return;
  for (const Stream stream : streams()) {
    try {
      run_until(stream, stream->queued);
    } catch (...) {
    }
  }
  blocks().erase(p);
  std::free(p);
}

}  // namespace

bool available(std::string*) noexcept { return true; }

Properties properties() { return {"emulated", 9, 0, 2, std::int64_t{1} << 32, 227 << 10}; }

void* allocate(std::size_t bytes) { return allocate_as(Memory::kDevice, bytes); }
void* allocate_pinned(std::size_t bytes) { return allocate_as(Memory::kPinned, bytes); }
void release(void* p) noexcept { release_memory(p); }
void release_pinned(void* p) noexcept { release_memory(p); }
std::int64_t free_bytes() { return properties().memory_bytes; }

// Pageable memory is read before the call returns, and written before it returns.
void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (bytes == 0) return;
  if (memory_of(from) == Memory::kPageable) {
    const auto* begin = static_cast<const unsigned char*>(from);
    emu::enqueue(stream, [to, bytes = std::vector<unsigned char>(begin, begin + bytes)] {
      std::memcpy(to, bytes.data(), bytes.size());
    });
  } else {
    emu::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
    const bool early = emu::options().async == emu::Async::early && memory_of(from) == Memory::kPinned;
    if (early || memory_of(to) == Memory::kPageable) synchronize(stream);
  }
}
void fill(void* p, unsigned char byte, std::size_t bytes, Stream stream) {
  if (bytes != 0) emu::enqueue(stream, [=] { std::memset(p, byte, bytes); });
}

Stream make_stream() { return *streams().insert(new CUstream_st).first; }
void release_stream(Stream stream) noexcept {
  try {
    synchronize(stream);
  } catch (...) {
  }
  for (const Event event : events())
    if (event->stream == stream) event->stream = nullptr;
  streams().erase(stream);
  delete stream;
}
void synchronize(Stream stream) {
  if (stream != nullptr) run_until(stream, stream->queued);
}
Event make_event() { return *events().insert(new CUevent_st).first; }
void release_event(Event event) noexcept {
  events().erase(event);
  delete event;
}
void record(Event event, Stream stream) { *event = {stream, stream == nullptr ? 0 : stream->queued, true}; }
void wait(Stream stream, Event event) {
  if (!event->recorded) throw Error("wait for an event that was not recorded");
  if (event->stream == nullptr || event->stream == stream) return;
  emu::enqueue(stream, [on = event->stream, after = event->after] {
    if (streams().contains(on)) run_until(on, after);
  });
}
void wait_for(Event event) {
  if (event->stream != nullptr) run_until(event->stream, event->after);
}
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

namespace lookalike::emu {

void enqueue(gpu::Stream stream, std::function<void()> work) {
  if (stream == nullptr) return work();
  stream->work.push_back(std::move(work));
  ++stream->queued;
}

int fail_allocation_after(int count) { return std::exchange(gpu::allocations_left, count); }

}  // namespace lookalike::emu
