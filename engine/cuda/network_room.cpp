#include "engine/cuda/network_room.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace lookalike::cuda {

NetworkRoom::NetworkRoom(const CudaOptions& options, gpu::Stream stream)
    : options_(options), stream_(stream), library_(stream) {}

std::int64_t NetworkRoom::free_bytes() const {
  const std::int64_t free = gpu::free_bytes();
  if (options_.memory_bytes <= 0) return free;
  const std::int64_t taken = network_ ? network_->plan().bytes() : 0;
  return std::min(free, options_.memory_bytes - taken);
}

std::unique_ptr<Network> NetworkRoom::plan(std::int64_t training_images) const {
  std::vector<std::int64_t> batches = {options_.forward_images};
  if (training_images > 0) batches.push_back(training_images);
  return std::make_unique<Network>(library_, stream_, std::max(options_.forward_images, training_images),
                                   training_images > 0, batches);
}

bool NetworkRoom::require(std::int64_t training_images) {
  const bool training = training_images > 0;
  std::int64_t most = std::min(training_images, options_.training_images);
  const std::int64_t rest = training_images % options_.training_images;
  if (network_ && network_->most() >= most && (network_->training() || !training) &&
      (most == 0 || network_->take_batch(most)) && (rest == 0 || network_->take_batch(rest)))
    return false;
  if (network_) {
    // What the old network could do, the new one can.
    if (network_->training()) most = std::max(most, network_->most());
    gpu::synchronize(stream_);
    feed_.reset();
    network_.reset();
  }
  auto planned = plan(most);
  if (rest != 0 && !planned->take_batch(rest))
    planned = std::make_unique<Network>(library_, stream_, planned->most(), true,
                                        std::vector{options_.forward_images, most, rest});
  const std::int64_t free = free_bytes();
  if (planned->plan().bytes() > free) throw short_of_memory(*planned, most, free);
  planned->allocate();
  feed_.emplace(static_cast<std::size_t>(planned->most() * kImageBytes),
                std::array{planned->images(0), planned->images(1)}, stream_);
  network_ = std::move(planned);
  return true;
}

// The largest batch that fits is found by halving between one that does not and one that does.
Error NetworkRoom::short_of_memory(const Network& planned, std::int64_t most, std::int64_t free) const {
  const auto megabytes = [](std::int64_t bytes) {
    return std::to_string((bytes + 999999) / 1000000) + " MB";
  };
  std::int64_t fits = 0, above = most;
  while (above - fits > 1) {
    const std::int64_t middle = fits + (above - fits) / 2;
    (plan(middle)->plan().bytes() <= free ? fits : above) = middle;
  }
  const std::string need = "the GPU has " + megabytes(free) + " free";
  if (most == 0)
    return system_error(need + ", encoding needs " + megabytes(planned.plan().bytes()) +
                        ", close what else runs on it, or use --device cpu");
  return system_error(need + ", training " + std::to_string(most) + " images at once needs " +
                      megabytes(planned.plan().bytes()) + ", " +
                      (fits > 0 ? "use --batch-size " + std::to_string(fits) + " or less"
                                : "close what else runs on it, or use --device cpu"));
}

}  // namespace lookalike::cuda
