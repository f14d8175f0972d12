// Sigmoid, crop and binary cross-entropy. With p = 1 / (1 + exp(-z)) and q = p clipped to [e, 1 - e],
// e = kProbabilityClip:
//   loss = -sum over y, x, c of t log q + (1 - t) log(1 - q)
//   d loss / d z = p - t, and 0 where clipping changed p or the crop drops z.
// logits z (H, W, C); probabilities p and targets t (H - 2 border, W - 2 border, C).
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/topology.h"
#include "tests/reference/tensor.h"

namespace lookalike::reference {

inline Tensor cropped_sigmoid(const Tensor& logits, int64_t border) {
  Tensor p(logits.height - 2 * border, logits.width - 2 * border, logits.channels);
  for (int64_t y = 0; y < p.height; ++y)
    for (int64_t x = 0; x < p.width; ++x)
      for (int64_t c = 0; c < p.channels; ++c)
        p.at(y, x, c) = 1.0 / (1.0 + std::exp(-logits.at(y + border, x + border, c)));
  return p;
}

inline double cross_entropy_sum(const Tensor& probabilities, const Tensor& targets) {
  double sum = 0.0;
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    const double q = std::clamp(probabilities.values[i], kProbabilityClip, 1.0 - kProbabilityClip);
    const double t = targets.values[i];
    sum -= t * std::log(q) + (1.0 - t) * std::log(1.0 - q);
  }
  return sum;
}

// (H, W, C), with H and W those of the logits; times scale.
inline Tensor logits_gradient(const Tensor& probabilities, const Tensor& targets, int64_t border,
                              double scale) {
  Tensor gradient(targets.height + 2 * border, targets.width + 2 * border, targets.channels);
  for (int64_t y = 0; y < targets.height; ++y)
    for (int64_t x = 0; x < targets.width; ++x)
      for (int64_t c = 0; c < targets.channels; ++c) {
        const double p = probabilities.at(y, x, c);
        const bool clipped = p < kProbabilityClip || p > 1.0 - kProbabilityClip;
        gradient.at(y + border, x + border, c) = clipped ? 0.0 : (p - targets.at(y, x, c)) * scale;
      }
  return gradient;
}

}  // namespace lookalike::reference
