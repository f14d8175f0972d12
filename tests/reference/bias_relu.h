// Bias and ReLU: out[y, x, k] = max(in[y, x, k] + bias[k], 0). At exactly 0 the gradient is 0.
#pragma once

#include <algorithm>
#include <span>

#include "tests/reference/tensor.h"

namespace lookalike::reference {

inline Tensor add_bias(const Tensor& in, std::span<const double> bias) {
  Tensor out = in;
  for (int64_t y = 0; y < in.height; ++y)
    for (int64_t x = 0; x < in.width; ++x)
      for (int64_t k = 0; k < in.channels; ++k) out.at(y, x, k) += bias[static_cast<std::size_t>(k)];
  return out;
}

inline Tensor relu(const Tensor& in) {
  Tensor out = in;
  for (double& value : out.values) value = std::max(value, 0.0);
  return out;
}

// out is relu's result.
inline Tensor relu_gradient(const Tensor& out, const Tensor& out_gradient) {
  Tensor in_gradient = out_gradient;
  for (std::size_t i = 0; i < out.values.size(); ++i)
    if (!(out.values[i] > 0.0)) in_gradient.values[i] = 0.0;
  return in_gradient;
}

// bias_gradient[k] = sum over y, x of out_gradient[y, x, k]
inline std::vector<double> bias_gradient(const Tensor& out_gradient) {
  std::vector<double> gradient(static_cast<std::size_t>(out_gradient.channels));
  for (int64_t y = 0; y < out_gradient.height; ++y)
    for (int64_t x = 0; x < out_gradient.width; ++x)
      for (int64_t k = 0; k < out_gradient.channels; ++k)
        gradient[static_cast<std::size_t>(k)] += out_gradient.at(y, x, k);
  return gradient;
}

}  // namespace lookalike::reference
