// The network's memory: made for a workload, before the work or at the first call that needs it, and made
// anew where a larger one comes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/cuda/device.h"
#include "engine/cuda/image_feed.h"
#include "engine/cuda/network.h"
#include "engine/error.h"

namespace lookalike::cuda {

class NetworkRoom {
 public:
  // `stream` outlives the room.
  NetworkRoom(const CudaOptions& options, gpu::Stream stream);

  // Has memory for encoding, decoding and losses, and for training on batches of so many images (0: none).
  // true where it was made anew: what the slots of the feed held is gone. Throws E_SYSTEM, naming the batch
  // that fits, where memory is short; there is then no network.
  bool require(std::int64_t training_images);

  Network& network() const { return *network_; }
  ImageFeed& feed() { return *feed_; }
  // Device memory that is left for other things, in bytes.
  std::int64_t free_bytes() const;

 private:
  std::unique_ptr<Network> plan(std::int64_t training_images) const;
  Error short_of_memory(const Network& planned, std::int64_t most, std::int64_t free) const;

  CudaOptions options_;
  gpu::Stream stream_;
  ConvolutionLibrary library_;
  std::unique_ptr<Network> network_;
  std::optional<ImageFeed> feed_;
};

}  // namespace lookalike::cuda
