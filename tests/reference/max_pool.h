// 2x2 max pool, stride 2, even H and W. Among equals the first in row order is the maximum.
#pragma once

#include "tests/reference/tensor.h"

namespace lookalike::reference {

struct Pooled {
  Tensor out;               // (H / 2, W / 2, C)
  std::vector<int> argmax;  // (H / 2, W / 2, C), 2 dy + dx of the maximum in its window
};

inline Pooled max_pool(const Tensor& in) {
  Pooled pooled{Tensor(in.height / 2, in.width / 2, in.channels), {}};
  Tensor& out = pooled.out;
  pooled.argmax.resize(out.values.size());
  std::size_t i = 0;
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int64_t c = 0; c < out.channels; ++c, ++i) {
        for (int window = 1; window < 4; ++window) {
          const int best = pooled.argmax[i];
          if (in.at(2 * y + window / 2, 2 * x + window % 2, c) > in.at(2 * y + best / 2, 2 * x + best % 2, c))
            pooled.argmax[i] = window;
        }
        out.at(y, x, c) = in.at(2 * y + pooled.argmax[i] / 2, 2 * x + pooled.argmax[i] % 2, c);
      }
  return pooled;
}

// The whole gradient goes to the maximum.
inline Tensor max_pool_gradient(const Pooled& pooled, const Tensor& out_gradient) {
  Tensor in_gradient(2 * out_gradient.height, 2 * out_gradient.width, out_gradient.channels);
  std::size_t i = 0;
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t c = 0; c < out_gradient.channels; ++c, ++i)
        in_gradient.at(2 * y + pooled.argmax[i] / 2, 2 * x + pooled.argmax[i] % 2, c) =
            out_gradient.at(y, x, c);
  return in_gradient;
}

}  // namespace lookalike::reference
