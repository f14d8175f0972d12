#include "engine/cuda/losses.h"

#include <utility>

#include "kernels/topology.h"

namespace lookalike::cuda {

void Losses::require(std::int64_t count) {
  const auto size = static_cast<std::size_t>(count);
  if (device_.size() >= size) return;
  gpu::Buffer<double> device(size);
  gpu::PinnedBuffer<double> host(size);
  gpu::synchronize(stream_);
  device_ = std::move(device);
  host_ = std::move(host);
}

void Losses::fetch(std::int64_t count) const {
  gpu::copy(host_.data(), device_.data(), static_cast<std::size_t>(count) * sizeof(double), stream_);
}

double Losses::mean(std::int64_t count) const {
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) sum += host_.data()[i];
  return sum / (static_cast<double>(count) * static_cast<double>(kImageBytes));
}

}  // namespace lookalike::cuda
