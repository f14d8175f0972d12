// Encoding in fp16 by the fused kernel, for compute capability 9.0: kernels/cuda/encode_half.h.
#pragma once

#include <cstdint>
#include <span>

#include "engine/cuda/image_feed.h"
#include "kernels/cuda/encode_half.h"

namespace lookalike::cuda {

class HalfEncoder {
 public:
  // Device memory for `most` images, twice, and their codes. `stream` outlives the encoder.
  HalfEncoder(std::int64_t most, gpu::Stream stream);

  // parameters (kParameterCount) in topology.h's order. Waits.
  void set_parameters(std::span<const float> parameters);
  // images (N, 150, 150, 3) -> codes (N, 2888), any N, in parts of `most`. Waits.
  void encode(std::span<const std::uint8_t> images, std::span<float> codes);

 private:
  std::int64_t most_;
  gpu::Stream stream_;
  gpu::Buffer<EncoderWeights> weights_{1};
  gpu::Buffer<std::uint8_t> images_;
  gpu::Buffer<float> codes_;
  ImageFeed feed_;
};

}  // namespace lookalike::cuda
