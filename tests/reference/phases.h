// Upsampling and a 3x3 convolution are four 2x2 convolutions on the low-resolution grid, exactly, borders
// included: output row 2y + p reads low-resolution rows y - 1 + p and y + p, since two of its three taps fall
// on one of them and their weights add up:
//   p = 0: row y - 1 <- tap 0,      row y     <- taps 1, 2
//   p = 1: row y     <- taps 0, 1,  row y + 1 <- tap 2
// and columns the same. This is the identity that the decoder's kernels rest on; 16 / 36 of the products.
#pragma once

#include <span>

#include "tests/reference/conv3x3.h"

namespace lookalike::reference {

// Which of the two low-resolution rows tap r of phase p reads.
constexpr int64_t phase_tap(int64_t p, int64_t r) { return (r + 1 - p) / 2; }
static_assert(phase_tap(0, 0) == 0 && phase_tap(0, 1) == 1 && phase_tap(0, 2) == 1);
static_assert(phase_tap(1, 0) == 0 && phase_tap(1, 1) == 0 && phase_tap(1, 2) == 1);

// Phase kernels (P, Q, 2, 2, C, K), P and Q the row and column phase, of a kernel (R, S, C, K).
inline std::size_t phase_index(int64_t p, int64_t q, int64_t i, int64_t j, int64_t c, int64_t k,
                               int64_t in_channels, int64_t out_channels) {
  return static_cast<std::size_t>(((((p * 2 + q) * 2 + i) * 2 + j) * in_channels + c) * out_channels + k);
}

inline std::vector<double> phase_kernels(std::span<const double> kernel, int64_t in_channels,
                                         int64_t out_channels) {
  std::vector<double> phases(static_cast<std::size_t>(16 * in_channels * out_channels));
  for (int64_t p = 0; p < 2; ++p)
    for (int64_t q = 0; q < 2; ++q)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 3; ++s)
          for (int64_t c = 0; c < in_channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              phases[phase_index(p, q, phase_tap(p, r), phase_tap(q, s), c, k, in_channels, out_channels)] +=
                  kernel[kernel_index(r, s, c, k, in_channels, out_channels)];
  return phases;
}

// The adjoint: gradient of the 3x3 kernel from that of its phase kernels.
inline std::vector<double> fold_phases(std::span<const double> phases, int64_t in_channels,
                                       int64_t out_channels) {
  std::vector<double> kernel(static_cast<std::size_t>(9 * in_channels * out_channels));
  for (int64_t p = 0; p < 2; ++p)
    for (int64_t q = 0; q < 2; ++q)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 3; ++s)
          for (int64_t c = 0; c < in_channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              kernel[kernel_index(r, s, c, k, in_channels, out_channels)] += phases[phase_index(
                  p, q, phase_tap(p, r), phase_tap(q, s), c, k, in_channels, out_channels)];
  return kernel;
}

// in (H, W, C) of low resolution -> (2H, 2W, K), equal to conv3x3(upsample(in), kernel).
inline Tensor phase_conv(const Tensor& in, std::span<const double> phases, int64_t out_channels) {
  Tensor out(2 * in.height, 2 * in.width, out_channels);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < 2; ++j) {
          const int64_t row = y / 2 - 1 + y % 2 + i;
          const int64_t column = x / 2 - 1 + x % 2 + j;
          if (!in.contains(row, column)) continue;
          for (int64_t c = 0; c < in.channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              out.at(y, x, k) += in.at(row, column, c) *
                                 phases[phase_index(y % 2, x % 2, i, j, c, k, in.channels, out_channels)];
        }
  return out;
}

// Gradient of the phase kernels.
inline std::vector<double> phase_kernel_gradient(const Tensor& in, const Tensor& out_gradient) {
  const int64_t out_channels = out_gradient.channels;
  std::vector<double> gradient(static_cast<std::size_t>(16 * in.channels * out_channels));
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < 2; ++j) {
          const int64_t row = y / 2 - 1 + y % 2 + i;
          const int64_t column = x / 2 - 1 + x % 2 + j;
          if (!in.contains(row, column)) continue;
          for (int64_t c = 0; c < in.channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              gradient[phase_index(y % 2, x % 2, i, j, c, k, in.channels, out_channels)] +=
                  in.at(row, column, c) * out_gradient.at(y, x, k);
        }
  return gradient;
}

// Gradient of in.
inline Tensor phase_data_gradient(const Tensor& out_gradient, std::span<const double> phases,
                                  int64_t in_channels) {
  const int64_t out_channels = out_gradient.channels;
  Tensor in_gradient(out_gradient.height / 2, out_gradient.width / 2, in_channels);
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < 2; ++j) {
          const int64_t row = y / 2 - 1 + y % 2 + i;
          const int64_t column = x / 2 - 1 + x % 2 + j;
          if (!in_gradient.contains(row, column)) continue;
          for (int64_t c = 0; c < in_channels; ++c)
            for (int64_t k = 0; k < out_channels; ++k)
              in_gradient.at(row, column, c) +=
                  out_gradient.at(y, x, k) *
                  phases[phase_index(y % 2, x % 2, i, j, c, k, in_channels, out_channels)];
        }
  return in_gradient;
}

}  // namespace lookalike::reference
