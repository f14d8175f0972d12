#include "engine/cuda/training.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "engine/non_finite.h"
#include "kernels/cuda/adam.h"
#include "kernels/cuda/non_finite.h"

namespace lookalike::cuda {
namespace {

// Flags of a step, one for each tensor: not finite before it, in the gradient, after it.
enum Moment { kBefore, kGradient, kAfter, kMoments };

TensorBounds tensor_bounds() {
  TensorBounds bounds;
  bounds.tensors = kTensorCount;
  for (int t = 0; t < kTensorCount; ++t) bounds.begin[static_cast<std::size_t>(t)] = tensor_place(t).offset;
  bounds.begin[kTensorCount] = kParameterCount;
  return bounds;
}

}  // namespace

Training::Training(const CudaOptions& options, NetworkRoom& room, Losses& losses,
                   const gpu::Buffer<float>& parameters, gpu::Stream stream)
    : options_(options),
      room_(room),
      losses_(losses),
      parameters_(parameters),
      stream_(stream),
      gradient_(kParameterCount),
      m_(kParameterCount),
      v_(kParameterCount),
      flags_(std::size_t{kMoments} * kTensorCount),
      host_flags_(std::size_t{kMoments} * kTensorCount) {
  for (const gpu::Buffer<float>* buffer : {&gradient_, &m_, &v_})
    gpu::fill(buffer->data(), 0, buffer->size() * sizeof(float), stream_);
}

double Training::step(std::int64_t count, const AdamOptions& options, const Fill& fill, const Ahead& ahead) {
  if (room_.require(count)) withdraw();
  losses_.require(count);
  const Announced came = std::exchange(announced_, {});
  const bool there = ahead.ticket != 0 && came.ticket == ahead.ticket && came.count == count;
  int free = 0;
  try {
    free = queue(count, options, fill, there ? came.slot : 0, there);
  } catch (...) {
    gpu::synchronize(stream_);
    throw;
  }
  if (ahead.next) bring_next(ahead, free);
  gpu::synchronize(stream_);
  return result(count);
}

// The first part's images come to `slot`, or are `there` already. Returns the slot that the last part does
// not use.
int Training::queue(std::int64_t count, const AdamOptions& options, const Fill& fill, int slot, bool there) {
  const std::int64_t most = std::min(count, options_.training_images);
  const auto scale =
      static_cast<float>(1.0 / (static_cast<double>(count) * static_cast<double>(kImageBytes)));
  look(parameters_, kBefore);
  if (!there) fill(slot, 0, most);
  for (std::int64_t first = 0; first < count; first += most, slot = 1 - slot) {
    const std::int64_t n = std::min(most, count - first);
    room_.network().gradient({parameters_.data()}, slot, {n, n}, scale, first > 0, losses_.device() + first,
                             {gradient_.data()});
    room_.feed().done(slot);
    const std::int64_t next = first + n;
    if (next < count) fill(1 - slot, next, std::min(most, count - next));
  }
  look(gradient_, kGradient);
  adam_step(options, steps_ + 1, {losses_.device(), count, flags_.data(), kAfter * kTensorCount},
            {gradient_.data(), parameters_.data(), m_.data(), v_.data(), kParameterCount}, stream_);
  look(parameters_, kAfter);
  losses_.fetch(count);
  gpu::copy(host_flags_.data(), flags_.data(), host_flags_.size() * sizeof(std::int32_t), stream_);
  return slot;
}

void Training::look(const gpu::Buffer<float>& values, int moment) {
  find_non_finite(values.data(), tensor_bounds(), flags_.data() + moment * kTensorCount, stream_);
}

void Training::bring_next(const Ahead& ahead, int slot) noexcept {
  try {
    const std::uint64_t ticket = ++tickets_;
    const auto images = ahead.next(ticket);
    const auto size = static_cast<std::int64_t>(images.size()), count = size / kImageBytes;
    if (count == 0 || size % kImageBytes != 0 || count > room_.network().most()) return;
    room_.feed().put(slot, images);
    announced_ = {ticket, count, slot};
  } catch (...) {  // NOLINT(bugprone-empty-catch): what it was, the next step meets again
  }
}

double Training::result(std::int64_t count) {
  const double mean = losses_.mean(count);
  const auto first = [&](Moment moment) -> std::optional<std::string> {
    for (int t = 0; t < kTensorCount; ++t)
      if (host_flags_.data()[moment * kTensorCount + t] != 0) return tensor_place(t).name;
    return {};
  };
  if (const auto tensor = first(kBefore)) throw weight_error(*tensor);
  if (!std::isfinite(mean)) throw loss_error(steps_ + 1);
  if (const auto tensor = first(kGradient)) throw gradient_error(*tensor, steps_ + 1);
  ++steps_;
  if (const auto tensor = first(kAfter)) throw stepped_weight_error(*tensor, steps_);
  return mean;
}

}  // namespace lookalike::cuda
