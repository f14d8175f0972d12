// Images on their way to the device: two slots, each a pinned buffer on the host and a place in device
// memory. While one slot is computed with, the other is filled; copies run on a stream of their own.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

class ImageFeed {
 public:
  // Slots of `bytes`; `device` are their places, which outlive the feed, as does `compute`.
  ImageFeed(std::size_t bytes, const std::array<std::uint8_t*, 2>& device, gpu::Stream compute);
  ~ImageFeed();
  ImageFeed(const ImageFeed&) = delete;
  ImageFeed& operator=(const ImageFeed&) = delete;

  // Queues the copy of these bytes to the slot; what is queued on `compute` from now on comes after it. Waits
  // for the slot's copy before this one, which is long done.
  void put(int slot, std::span<const std::uint8_t> images);
  // As put, with rows of `row` bytes laid `pitch` bytes apart in the slot.
  void put(int slot, std::span<const std::uint8_t> images, std::int64_t row, std::int64_t pitch);
  // What was queued on `compute` so far is the last use of the slot's images.
  void done(int slot);

 private:
  struct Slot {
    std::uint8_t* pinned = nullptr;
    std::uint8_t* device = nullptr;
    gpu::Event copied = nullptr, used = nullptr;
    bool copying = false, in_use = false;
  };
  void release() noexcept;

  gpu::Stream compute_, copies_ = nullptr;
  std::array<Slot, 2> slots_{};
};

}  // namespace lookalike::cuda
