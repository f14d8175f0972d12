// Nearest x2 upsampling: out[y, x, c] = in[y / 2, x / 2, c]; its adjoint sums each 2x2 block.
#pragma once

#include "tests/reference/tensor.h"

namespace lookalike::reference {

inline Tensor upsample(const Tensor& in) {
  Tensor out(2 * in.height, 2 * in.width, in.channels);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int64_t c = 0; c < out.channels; ++c) out.at(y, x, c) = in.at(y / 2, x / 2, c);
  return out;
}

inline Tensor upsample_gradient(const Tensor& out_gradient) {
  Tensor in_gradient(out_gradient.height / 2, out_gradient.width / 2, out_gradient.channels);
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t c = 0; c < out_gradient.channels; ++c)
        in_gradient.at(y / 2, x / 2, c) += out_gradient.at(y, x, c);
  return in_gradient;
}

}  // namespace lookalike::reference
