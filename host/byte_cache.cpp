#include "host/byte_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/files.h"
#include "host/fingerprint.h"
#include "host/interrupt.h"

namespace lookalike {
namespace {

constexpr auto kReportInterval = std::chrono::milliseconds(200);

std::string temporary_folder() {
  const char* set = std::getenv("TMPDIR");
  return set != nullptr && *set != '\0' ? set : "/tmp";
}

Error storage_error(const std::string& folder, int64_t needed = 0) {
  return file_error("keep decoded photos under TMPDIR, in", folder, errno, needed);
}

// A file that no one else sees and that ends with the process.
FileDescriptor open_nameless_file(const std::string& folder, int64_t bytes) {
  int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) {  // not every file system knows O_TMPFILE
    std::string name = folder + "/lookalike.XXXXXX";
    descriptor = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor < 0) throw storage_error(folder);
    ::unlink(name.c_str());
  }
  FileDescriptor file(descriptor);
  // A full disk says so now, where the file system can tell.
  if (::fallocate(file.get(), 0, 0, bytes) != 0 && errno != EOPNOTSUPP && errno != EINTR) {
    throw storage_error(folder, bytes);
  }
  return file;
}

std::unique_ptr<uint8_t[]> allocate(int64_t bytes) {
  try {
    return std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(bytes));
  } catch (const std::bad_alloc&) {
    throw system_error(fmt::format("no memory for {} bytes of photos, allow less of it to be used", bytes));
  }
}

// Slots of one photo each, in memory or in a file. Each is written once, by one thread.
class Slots {
 public:
  Slots(int64_t count, int64_t memory_bytes)
      : in_memory_(count <= memory_bytes / kImageBytes),
        folder_(temporary_folder()),
        memory_(in_memory_ ? allocate(count * kImageBytes) : nullptr),
        file_(in_memory_ ? FileDescriptor() : open_nameless_file(folder_, count * kImageBytes)) {}

  bool in_memory() const { return in_memory_; }

  void write(int64_t slot, const uint8_t* pixels) {
    if (in_memory_) {
      std::copy_n(pixels, kImageBytes, memory_.get() + slot * kImageBytes);
      return;
    }
    for (int64_t done = 0; done < kImageBytes;) {
      const ssize_t wrote = ::pwrite(file_.get(), pixels + done, static_cast<size_t>(kImageBytes - done),
                                     slot * kImageBytes + done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) throw storage_error(folder_, kImageBytes);
      done += wrote;
    }
  }

  void read(int64_t slot, uint8_t* pixels) const {
    if (in_memory_) {
      std::copy_n(memory_.get() + slot * kImageBytes, kImageBytes, pixels);
      return;
    }
    const std::span out(pixels, static_cast<size_t>(kImageBytes));
    read_at(file_.get(), folder_, slot * kImageBytes, std::as_writable_bytes(out));
  }

 private:
  bool in_memory_;
  std::string folder_;
  std::unique_ptr<uint8_t[]> memory_;
  FileDescriptor file_;
};

// Decoders at work on a list. Results are kept by place in the list, so threads leave no trace in them.
class Decoding {
 public:
  Decoding(const PhotoList& photos, const ByteCacheOptions& options, Slots& slots)
      : photos_(photos), options_(options), slots_(slots), hashes_(photos.items.size()) {}
  ~Decoding() { stop(); }
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;

  // Returns when all are decoded or refused; rethrows the first failure of a decoder.
  void run(const ByteCache::Report& report) {
    start();
    std::unique_lock lock(mutex_);
    for (bool working = true; working;) {
      changed_.wait_for(lock, kReportInterval, [this] { return running_ == 0; });
      working = running_ > 0;
      const auto refused = static_cast<int64_t>(refusals_.size());
      const int64_t done = done_;
      lock.unlock();
      const bool go_on = !report || report(done, refused);
      if (!go_on && working) {
        stop();
        throw Interrupted(stop_signal());
      }
      lock.lock();
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  const std::vector<std::array<uint64_t, 2>>& hashes() const { return hashes_; }
  const std::map<int64_t, std::string>& refusals() const { return refusals_; }  // place in list -> reason

 private:
  void start() {
    const auto count = static_cast<int64_t>(photos_.items.size());
    const int wanted = options_.threads > 0 ? options_.threads : usable_cores();
    running_ = static_cast<int>(std::clamp<int64_t>(wanted, 1, std::max<int64_t>(count, 1)));
    const int threads = running_;
    for (int t = 0; t < threads; ++t) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error& error) {
        const std::lock_guard lock(mutex_);
        running_ -= threads - t;
        if (t > 0) return;  // fewer decoders do it too
        throw system_error(
            fmt::format("cannot start a thread: {}; raise the limit (ulimit -u)", error.what()));
      }
    }
  }

  void stop() {
    stopping_ = true;
    threads_.clear();  // joins
  }

  void work() {
    try {
      std::vector<uint8_t> pixels(static_cast<size_t>(kImageBytes));
      const auto count = static_cast<int64_t>(photos_.items.size());
      for (int64_t i = next_++; i < count && !stopping_; i = next_++) decode(i, pixels.data());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stopping_ = true;
    }
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_one();
  }

  void decode(int64_t place, uint8_t* pixels) {
    const PhotoItem& item = photos_.items[static_cast<size_t>(place)];
    std::optional<std::string> refused;
    try {
      const Photo photo = load_photo(item.path, options_.rule, options_.limits, pixels);
      hashes_[static_cast<size_t>(place)] = photo.content_hash;
      slots_.write(place, pixels);
    } catch (const RefusedPhoto& refusal) {
      refused = refusal.what();
    }
    const std::lock_guard lock(mutex_);
    ++done_;
    if (refused) refusals_.emplace(place, *refused);
  }

  const PhotoList& photos_;
  const ByteCacheOptions& options_;
  Slots& slots_;
  std::vector<std::array<uint64_t, 2>> hashes_;

  std::atomic<int64_t> next_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // of the following
  std::condition_variable changed_;
  int running_ = 0;
  int64_t done_ = 0;
  std::map<int64_t, std::string> refusals_;
  std::exception_ptr failure_;

  std::vector<std::jthread> threads_;
};

}  // namespace

struct ByteCache::Storage {
  Storage(int64_t count, int64_t memory_bytes) : slots(count, memory_bytes) {}

  Slots slots;  // by place in the list
  std::vector<int64_t> items;
  std::vector<Refusal> refusals;
  std::string content_fingerprint;
};

ByteCache::ByteCache(const PhotoList& photos, const ByteCacheOptions& options, const Report& report)
    : storage_(std::make_unique<Storage>(static_cast<int64_t>(photos.items.size()), options.memory_bytes)) {
  Decoding decoding(photos, options, storage_->slots);
  decoding.run(report);

  Fingerprint fingerprint;
  for (size_t i = 0; i < photos.items.size(); ++i) {
    const PhotoItem& item = photos.items[i];
    const auto refusal = decoding.refusals().find(static_cast<int64_t>(i));
    if (refusal != decoding.refusals().end()) {
      storage_->refusals.push_back({item.id, item.path, refusal->second});
      continue;
    }
    storage_->items.push_back(static_cast<int64_t>(i));
    fingerprint.add(item.id);
    for (const uint64_t half : decoding.hashes()[i]) fingerprint.add(half);
  }
  storage_->content_fingerprint = fingerprint.hex();
}

ByteCache::~ByteCache() = default;
ByteCache::ByteCache(ByteCache&&) noexcept = default;

int64_t ByteCache::size() const { return static_cast<int64_t>(storage_->items.size()); }
const std::vector<int64_t>& ByteCache::items() const { return storage_->items; }
const std::vector<Refusal>& ByteCache::refusals() const { return storage_->refusals; }
std::string ByteCache::content_fingerprint() const { return storage_->content_fingerprint; }
bool ByteCache::in_memory() const { return storage_->slots.in_memory(); }

ImageSource ByteCache::source() const {
  return {size(), [this](auto indices, auto out) { gather(indices, out); }};
}

void ByteCache::gather(std::span<const int64_t> indices, std::span<uint8_t> out) const {
  if (out.size() != indices.size() * static_cast<size_t>(kImageBytes)) {
    throw std::invalid_argument("ByteCache::gather: out has another size than its indices need");
  }
  uint8_t* pixels = out.data();
  for (const int64_t index : indices) {
    storage_->slots.read(storage_->items.at(static_cast<size_t>(index)), pixels);
    pixels += kImageBytes;
  }
}

}  // namespace lookalike
