// Sigmoid, crop and binary cross-entropy. With z = logits(n, y, x, c) + bias(c), p = 1 / (1 + exp(-z)),
// t = images(n, y - 1, x - 1, c) / 255, and e = kProbabilityClip,
//   loss(n) = -sum over y, x, c of t log q + (1 - t) log(1 - q), q = p clipped to [e, 1 - e]
//   gradient(n, y, x, c) = scale (p - t); 0 in the border and where clipping changed p
//
// logits (N, 152, 152, 3); bias (3); images (N, 150, 150, 3) bytes; loss (N) doubles; gradient
// (N, 152, 152, 3) or null; loss and gradient are overwritten. partial: scratch of kLossBlocks N doubles. N
// at most kMaxImages. Terms are float; a thread adds its own in double, threads and blocks are added in a
// fixed order, so an image's loss is the same bytes every time and in every batch. Bound by memory: 345 kB
// read and, with a gradient, 277 kB written for an image.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

inline constexpr int kLossBlocks = 68;  // of an image

struct SigmoidLoss {
  const float* logits = nullptr;
  const float* bias = nullptr;
  const std::uint8_t* images = nullptr;
  float scale = 1.0F;
  double* partial = nullptr;
  double* loss = nullptr;
  float* gradient = nullptr;
};
void sigmoid_loss(const SigmoidLoss& of, std::int64_t images, gpu::Stream stream);

}  // namespace lookalike::cuda
