// Losses of a batch's images, on the device and on their way to the host.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

class Losses {
 public:
  explicit Losses(gpu::Stream stream) : stream_(stream) {}

  // Has room for so many images; waits for the stream where it has to grow.
  void require(std::int64_t count);
  // (count), sums over an image's values.
  double* device() const { return device_.data(); }
  // Queues the copy of the first `count`, which mean() reads when the stream is synchronised.
  void fetch(std::int64_t count) const;
  // Mean over the values of `count` images, added in the images' order, as the CPU does.
  double mean(std::int64_t count) const;

 private:
  gpu::Stream stream_;
  gpu::Buffer<double> device_;
  gpu::PinnedBuffer<double> host_;
};

}  // namespace lookalike::cuda
