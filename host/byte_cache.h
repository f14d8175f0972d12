// Every photo of a list decoded once, as bytes: in memory, or in a private file where it would not fit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/image_source.h"
#include "host/dataset.h"
#include "host/photo.h"
#include "host/refusals.h"

namespace lookalike {

struct ByteCacheOptions {
  PhotoRule rule;
  PhotoLimits limits;
  int threads = 0;                          // decoders; 0: one for each core
  int64_t memory_bytes = int64_t{4} << 30;  // above this the bytes go to an unlinked file under TMPDIR
};

class ByteCache {
 public:
  // Called now and then from the calling thread with (done, refused); returning false stops early, by
  // throwing Interrupted.
  using Report = std::function<bool(int64_t done, int64_t refused)>;

  ByteCache(const PhotoList& photos, const ByteCacheOptions& options, const Report& report);
  ~ByteCache();
  ByteCache(ByteCache&&) noexcept;

  int64_t size() const;                          // photos that decoded, in list order
  const std::vector<int64_t>& items() const;     // index in the list of each
  const std::vector<Refusal>& refusals() const;  // in list order
  std::string content_fingerprint() const;  // XXH3-128 over ids and content hashes, 32 hexadecimal digits
  bool in_memory() const;

  // out (indices.size(), 150, 150, 3), overwritten. Throws E_SYSTEM when the private file cannot be read.
  void gather(std::span<const int64_t> indices, std::span<uint8_t> out) const;
  // The photos, for as long as this stays where it is.
  ImageSource source() const;

 private:
  struct Storage;
  std::unique_ptr<Storage> storage_;
};

}  // namespace lookalike
