// The whole encoder in one kernel for compute capability 9.0: bytes in, codes out, fp16 tensor cores with
// float sums. As stages enc1 .. enc3 of topology.h, each conv 3x3 + bias + ReLU + 2x2 max pool.
//
// Numbers: pixels enter as the integers 0 .. 255, exact in fp16. 1/255 is in enc1's weights; between stages
// activations are rounded to fp16, enc1's times 16, which keeps enc2's weights (over 16) and enc1's clear of
// subnormals. Codes are float. Weights, bias and activations err by 2^-11 each, products and sums by float's.
// An activation above 4,094 becomes infinite, and the code with it.
//
// images (N, 150, 464) bytes, of which a row's first 450 are (150, 3); codes (N, 2888), all overwritten. One
// block a processor takes every gridDim-th image: 10 warps compute enc1, 5 enc2, 1 enc3 and the copies; rows
// pass through rings in shared memory and never reach device memory. Every code depends on its image alone
// and is the same on every run. Bound by tensor cores: 13,260 products of 16 x 8 x 16 an image.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/runtime.h"
#include "kernels/topology.h"

namespace lookalike::cuda {

inline constexpr std::int64_t kPitchedRow = 464;  // bytes; copies want multiples of 16
inline constexpr std::int64_t kPitchedImage = kImageSize * kPitchedRow;

// As registers of the 32 lanes hold them, in device memory.
struct EncoderWeights {
  std::uint32_t kernel1[48 * 32];
  float bias1[4 * 32];
  std::uint32_t kernel2[18 * 32];
  float bias2[2 * 32];
  std::uint32_t kernel3[9 * 32];
  float bias3[2 * 32];
};

// parameters (kParameterCount), in topology.h's order.
EncoderWeights pack_encoder(std::span<const float> parameters);

// images and weights in device memory, images 16-byte aligned. Throws gpu::Error where the device is older.
void encode_half(const std::uint8_t* images, const EncoderWeights* weights, float* codes, std::int64_t count,
                 gpu::Stream stream);

}  // namespace lookalike::cuda
