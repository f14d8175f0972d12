#include "engine/cuda/held_images.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/cuda/gather_images.h"
#include "kernels/topology.h"

namespace lookalike::cuda {

HeldImages::HeldImages(const ImageSource& images, gpu::Stream stream)
    : size_(images.size), stream_(stream), images_(static_cast<std::size_t>(images.size * kImageBytes)) {
  constexpr std::int64_t kAtOnce = 256;
  const std::int64_t most = std::min(kAtOnce, size_);
  const gpu::PinnedBuffer<std::uint8_t> part(static_cast<std::size_t>(most * kImageBytes));
  std::vector<std::int64_t> indices;
  for (std::int64_t first = 0; first < size_; first += most) {
    indices.resize(static_cast<std::size_t>(std::min(most, size_ - first)));
    std::iota(indices.begin(), indices.end(), first);
    const std::size_t bytes = indices.size() * std::size_t{kImageBytes};
    images.gather(indices, {part.data(), bytes});
    gpu::copy(images_.data() + first * kImageBytes, part.data(), bytes, stream_);
    gpu::synchronize(stream_);
  }
}

void HeldImages::choose(std::span<const std::int64_t> numbers) {
  for (const std::int64_t number : numbers)
    if (number < 0 || number >= size_) throw std::out_of_range("the device holds no image of this number");
  if (staged_.size() < numbers.size()) {
    gpu::PinnedBuffer<std::int64_t> staged(numbers.size());
    gpu::Buffer<std::int64_t> on_device(numbers.size());
    staged_ = std::move(staged);
    numbers_ = std::move(on_device);
  }
  std::copy(numbers.begin(), numbers.end(), staged_.data());
  gpu::copy(numbers_.data(), staged_.data(), numbers.size_bytes(), stream_);
}

void HeldImages::put(std::int64_t first, std::int64_t count, std::uint8_t* out) const {
  gather_images(images_.data(), numbers_.data() + first, count, out, stream_);
}

}  // namespace lookalike::cuda
