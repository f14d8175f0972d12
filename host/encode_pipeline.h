// Photos to shards of codes, with reading and decoding, encoding, and writing at work at the same time.
//
//   decoders (threads) -> batches of pixels -> the device (calling thread) -> pieces -> writer (thread)
//
// Between the stages stand a handful of batches, however long the list and a shard are. A stage that fails
// ends all others before the failure is thrown again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"
#include "host/catalog.h"
#include "host/photo.h"
#include "host/photo_table.h"

namespace lookalike {

// Batches of pixels at one time: one in the device, two ready or being filled.
inline constexpr int64_t kPipelineBatches = 3;
// Encoded batches that wait for the writer: what it may fall behind while a shard is flushed.
inline constexpr int64_t kPipelinePieces = 2;

struct EncodePipelineOptions {
  PhotoRule rule;
  PhotoLimits limits;
  int decoders = 1;
  int64_t batch_size = 128;   // photos a call of the device
  int64_t shard_rows = 2048;  // photos of the list that make a shard
};

struct EncodeCallbacks {
  // From the writer's thread: the shards in the order of `shards`, each in pieces of at most a batch.
  std::function<void(ShardContent)> write;
  // From the calling thread, several times a second: photos of these shards that are through the device, and
  // how many of them were refused. False stops: what is encoded is still written, which may end in the middle
  // of a shard.
  std::function<bool(int64_t done, int64_t refused)> report;
};

// Seconds at work, waiting for no other stage. reading and decoding: summed over the decoders.
struct EncodeTimes {
  double elapsed = 0;
  double processor_seconds = 0;  // of the whole process
  double reading = 0, decoding = 0, encoding = 0, writing = 0;
  int decoders = 0;

  std::string bottleneck() const;
};

// As the ledger keeps it: 32 hexadecimal digits.
std::string content_hash_text(const Photo& photo);
std::string content_hash_text(const std::vector<uint8_t>& file);

// The reason of the one refusal that is not the photo's fault alone.
inline constexpr const char* kCodeNotFinite = "its code is not finite";

int64_t shard_count(int64_t items, int64_t shard_rows);

// Encodes `shards` of the list: shard s is items [s R, (s + 1) R) without those that are refused. What a
// shard holds depends on the list and the photos alone. False where report stopped it. `times`, where given,
// is set unless this throws.
bool encode_shards(Device& device, const PhotoTable& photos, const std::vector<int64_t>& shards,
                   const EncodePipelineOptions& options, const EncodeCallbacks& callbacks,
                   EncodeTimes* times = nullptr);

}  // namespace lookalike
