// Memory, streams and events of one device, as plain functions: runtime.cu calls CUDA, tests/emulation's
// runtime.cpp does the same on the host. Every failure throws Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

struct CUstream_st;  // cudaStream_t and cudaEvent_t point to these
struct CUevent_st;

namespace lookalike::gpu {

struct Error : std::runtime_error {
  explicit Error(const std::string& message, bool memory = false)
      : std::runtime_error(message), out_of_memory(memory) {}
  bool out_of_memory;
};

using Stream = CUstream_st*;  // null: the default stream
using Event = CUevent_st*;

struct Properties {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t shared_bytes = 0;  // most for a block
};

// Whether a device answers; `reason` (may be null) then stays as it is, else it says what is missing.
bool available(std::string* reason = nullptr) noexcept;
Properties properties();

void* allocate(std::size_t bytes);         // device memory, 256-byte aligned, not initialised
void* allocate_pinned(std::size_t bytes);  // host memory that the device copies from and to
void release(void* p) noexcept;
void release_pinned(void* p) noexcept;
std::int64_t free_bytes();  // of device memory

// Queued on the stream: memory must stay until it is synchronised (pageable host memory: until the return).
void copy(void* to, const void* from, std::size_t bytes, Stream stream);
void fill(void* p, unsigned char byte, std::size_t bytes, Stream stream);

Stream make_stream();  // does not wait for the default stream
void release_stream(Stream stream) noexcept;
void synchronize(Stream stream);  // also throws what kernels on it did wrong
Event make_event();
void release_event(Event event) noexcept;
void record(Event event, Stream stream);
void wait(Stream stream, Event event);  // what follows on the stream comes after what `event` recorded
void wait_for(Event event);             // the host waits for what it recorded
double milliseconds(Event from, Event to);

// Device memory of `size` elements.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size)
      : size_(size), p_(size == 0 ? nullptr : static_cast<T*>(allocate(size * sizeof(T)))) {}
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    copy(p_, values.data(), size_ * sizeof(T), nullptr);
    synchronize(nullptr);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(p_); }

  T* data() const { return p_; }
  std::size_t size() const { return size_; }
  // Waits for everything queued on the default stream.
  std::vector<T> host() const {
    std::vector<T> values(size_);
    copy(values.data(), p_, size_ * sizeof(T), nullptr);
    synchronize(nullptr);
    return values;
  }

 private:
  void swap(Buffer& other) {
    std::swap(size_, other.size_);
    std::swap(p_, other.p_);
  }

  std::size_t size_ = 0;
  T* p_ = nullptr;
};

// Host memory of `size` elements that the device copies from and to while the host goes on.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t size)
      : size_(size), p_(size == 0 ? nullptr : static_cast<T*>(allocate_pinned(size * sizeof(T)))) {}
  PinnedBuffer(PinnedBuffer&& other) noexcept { *this = std::move(other); }
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(p_, other.p_);
    return *this;
  }
  ~PinnedBuffer() { release_pinned(p_); }
  T* data() const { return p_; }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
  T* p_ = nullptr;
};

class OwnedStream {
 public:
  OwnedStream() : stream_(make_stream()) {}
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;
  ~OwnedStream() { release_stream(stream_); }
  operator Stream() const { return stream_; }  // NOLINT: a handle

 private:
  Stream stream_;
};

class OwnedEvent {
 public:
  OwnedEvent() : event_(make_event()) {}
  OwnedEvent(const OwnedEvent&) = delete;
  OwnedEvent& operator=(const OwnedEvent&) = delete;
  ~OwnedEvent() { release_event(event_); }
  operator Event() const { return event_; }  // NOLINT: a handle

 private:
  Event event_;
};

}  // namespace lookalike::gpu
