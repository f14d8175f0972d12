#include "engine/cuda/image_feed.h"

#include <cstring>

namespace lookalike::cuda {

ImageFeed::ImageFeed(std::size_t bytes, const std::array<std::uint8_t*, 2>& device, gpu::Stream compute)
    : compute_(compute) {
  try {
    copies_ = gpu::make_stream();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].pinned = static_cast<std::uint8_t*>(gpu::allocate_pinned(bytes));
      slots_[i].device = device[i];
      slots_[i].copied = gpu::make_event();
      slots_[i].used = gpu::make_event();
    }
  } catch (...) {
    release();
    throw;
  }
}

ImageFeed::~ImageFeed() { release(); }

void ImageFeed::release() noexcept {
  for (Slot& slot : slots_) {
    if (slot.copied != nullptr) gpu::release_event(slot.copied);
    if (slot.used != nullptr) gpu::release_event(slot.used);
    if (slot.pinned != nullptr) gpu::release_pinned(slot.pinned);
  }
  if (copies_ != nullptr) gpu::release_stream(copies_);
}

void ImageFeed::put(int which, std::span<const std::uint8_t> images) {
  const auto whole = static_cast<std::int64_t>(images.size());
  put(which, images, whole, whole);
}

void ImageFeed::put(int which, std::span<const std::uint8_t> images, std::int64_t row, std::int64_t pitch) {
  const std::int64_t rows = static_cast<std::int64_t>(images.size()) / row;
  Slot& slot = slots_[static_cast<std::size_t>(which)];
  if (slot.copying) gpu::wait_for(slot.copied);
  for (std::int64_t i = 0; i < rows; ++i)
    std::memcpy(slot.pinned + i * pitch, images.data() + i * row, static_cast<std::size_t>(row));
  if (slot.in_use) gpu::wait(copies_, slot.used);
  gpu::copy(slot.device, slot.pinned, static_cast<std::size_t>(rows * pitch), copies_);
  gpu::record(slot.copied, copies_);
  slot.copying = true;
  gpu::wait(compute_, slot.copied);
}

void ImageFeed::done(int which) {
  Slot& slot = slots_[static_cast<std::size_t>(which)];
  gpu::record(slot.used, compute_);
  slot.in_use = true;
}

}  // namespace lookalike::cuda
