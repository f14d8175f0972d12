// A dataset in device memory, as bytes, and batches of it by number.
#pragma once

#include <cstdint>
#include <span>

#include "engine/image_source.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

class HeldImages {
 public:
  // Copies all of `images` to the device, and waits for it.
  HeldImages(const ImageSource& images, gpu::Stream stream);

  // Chooses a batch: its numbers go to the device. The batch before must have been computed. Throws
  // std::out_of_range for a number that is none.
  void choose(std::span<const std::int64_t> numbers);
  // Queues the copy of images first .. first + count - 1 of the batch to out (count, 150, 150, 3).
  void put(std::int64_t first, std::int64_t count, std::uint8_t* out) const;

 private:
  std::int64_t size_;
  gpu::Stream stream_;
  gpu::Buffer<std::uint8_t> images_;
  gpu::PinnedBuffer<std::int64_t> staged_;
  gpu::Buffer<std::int64_t> numbers_;
};

}  // namespace lookalike::cuda
