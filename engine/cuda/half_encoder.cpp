#include "engine/cuda/half_encoder.h"

#include <algorithm>

namespace lookalike::cuda {
namespace {

std::size_t bytes_of(std::int64_t images) { return static_cast<std::size_t>(images * kPitchedImage); }

}  // namespace

HalfEncoder::HalfEncoder(std::int64_t most, gpu::Stream stream)
    : most_(most),
      stream_(stream),
      images_(2 * bytes_of(most)),
      codes_(static_cast<std::size_t>(most * kCodeLength)),
      feed_(bytes_of(most), {images_.data(), images_.data() + bytes_of(most)}, stream) {}

void HalfEncoder::set_parameters(std::span<const float> parameters) {
  const EncoderWeights packed = pack_encoder(parameters);
  gpu::copy(weights_.data(), &packed, sizeof packed, stream_);
  gpu::synchronize(stream_);
}

void HalfEncoder::encode(std::span<const std::uint8_t> images, std::span<float> codes) {
  const std::int64_t count = static_cast<std::int64_t>(images.size()) / kImageBytes;
  const auto put = [&](int slot, std::int64_t first) {
    const std::int64_t n = std::min(most_, count - first);
    feed_.put(slot,
              images.subspan(static_cast<std::size_t>(first * kImageBytes),
                             static_cast<std::size_t>(n * kImageBytes)),
              kImageSize * kImageChannels, kPitchedRow);
  };
  if (count > 0) put(0, 0);
  int slot = 0;
  for (std::int64_t first = 0; first < count; first += most_, slot = 1 - slot) {
    const std::int64_t n = std::min(most_, count - first);
    encode_half(images_.data() + slot * bytes_of(most_), weights_.data(), codes_.data(), n, stream_);
    feed_.done(slot);
    if (first + n < count) put(1 - slot, first + n);
    gpu::copy(codes.data() + first * kCodeLength, codes_.data(),
              static_cast<std::size_t>(n * kCodeLength) * sizeof(float), stream_);
  }
  gpu::synchronize(stream_);
}

}  // namespace lookalike::cuda
