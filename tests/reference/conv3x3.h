// 3x3 'same' convolution (cross-correlation, as Keras):
//   out[y, x, k] = sum over r, s, c of in[y + r - 1, x + s - 1, c] kernel[r, s, c, k]
// in (H, W, C), zero outside; kernel (R, S, C, K); out (H, W, K). The gradients are its two adjoints.
#pragma once

#include <span>

#include "tests/reference/tensor.h"

namespace lookalike::reference {

inline std::size_t kernel_index(int64_t r, int64_t s, int64_t c, int64_t k, int64_t in_channels,
                                int64_t out_channels) {
  return static_cast<std::size_t>(((r * 3 + s) * in_channels + c) * out_channels + k);
}

inline Tensor conv3x3(const Tensor& in, std::span<const double> kernel, int64_t out_channels) {
  Tensor out(in.height, in.width, out_channels);
  for (int64_t y = 0; y < in.height; ++y)
    for (int64_t x = 0; x < in.width; ++x)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 3; ++s) {
          if (!in.contains(y + r - 1, x + s - 1)) continue;
          for (int64_t c = 0; c < in.channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              out.at(y, x, k) += in.at(y + r - 1, x + s - 1, c) *
                                 kernel[kernel_index(r, s, c, k, in.channels, out_channels)];
        }
  return out;
}

// in_gradient[y + r - 1, x + s - 1, c] += out_gradient[y, x, k] kernel[r, s, c, k]
inline Tensor conv3x3_data_gradient(const Tensor& out_gradient, std::span<const double> kernel,
                                    int64_t in_channels) {
  const int64_t out_channels = out_gradient.channels;
  Tensor in_gradient(out_gradient.height, out_gradient.width, in_channels);
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 3; ++s) {
          if (!in_gradient.contains(y + r - 1, x + s - 1)) continue;
          for (int64_t c = 0; c < in_channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              in_gradient.at(y + r - 1, x + s - 1, c) +=
                  out_gradient.at(y, x, k) * kernel[kernel_index(r, s, c, k, in_channels, out_channels)];
        }
  return in_gradient;
}

// kernel_gradient[r, s, c, k] = sum over y, x of in[y + r - 1, x + s - 1, c] out_gradient[y, x, k]
inline std::vector<double> conv3x3_kernel_gradient(const Tensor& in, const Tensor& out_gradient) {
  const int64_t out_channels = out_gradient.channels;
  std::vector<double> kernel_gradient(static_cast<std::size_t>(9 * in.channels * out_channels));
  for (int64_t y = 0; y < in.height; ++y)
    for (int64_t x = 0; x < in.width; ++x)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 3; ++s) {
          if (!in.contains(y + r - 1, x + s - 1)) continue;
          for (int64_t c = 0; c < in.channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              kernel_gradient[kernel_index(r, s, c, k, in.channels, out_channels)] +=
                  in.at(y + r - 1, x + s - 1, c) * out_gradient.at(y, x, k);
        }
  return kernel_gradient;
}

}  // namespace lookalike::reference
