// How far float32 arithmetic may stray from the double reference, element by element, derived and not
// guessed.
//
// With u = 2^-24, a float sum of n products in any order, fused or not, errs by at most g(n) sum |x w|,
// g(n) = n u / (1 - n u). An error e of the inputs adds sum e |w|. ReLU, pool and upsampling stretch nothing.
// Backward the same holds for the adjoints; and where the forward error can change which ReLU is open or
// which element of a window is the maximum, the bound pays for either choice.
//
// n counts what the kernels may do besides: taps summed for a phase (3), 1/255 folded into a weight (2), bias
// and rounding of the result (2).
#pragma once

#include <cmath>

#include "tests/reference/autoencoder.h"

namespace lookalike::test {

using reference::Tensor;

inline double gamma_n(int64_t n) {
  const double nu = static_cast<double>(n) * 0x1p-24;
  return nu / (1.0 - nu);
}

inline Tensor absolute(Tensor tensor) {
  for (double& value : tensor.values) value = std::abs(value);
  return tensor;
}

inline std::vector<double> absolute(std::span<const double> values) {
  std::vector<double> result(values.begin(), values.end());
  for (double& value : result) value = std::abs(value);
  return result;
}

// a + factor * b
inline Tensor plus(Tensor a, const Tensor& b, double factor = 1.0) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += factor * b.values[i];
  return a;
}

struct ForwardBound {
  std::vector<Tensor> input;          // of each stage's convolution
  std::vector<Tensor> preactivation;  // of each stage
  std::vector<Tensor> output;         // as StageTrace::output
  Tensor probabilities;
  double loss_sum = 0.0;
};

inline int64_t forward_terms(const Stage& stage) { return int64_t{kTaps} * stage.in_channels + 7; }

inline Tensor window_maximum(const Tensor& in) {
  Tensor out(in.height / 2, in.width / 2, in.channels);
  for (int64_t y = 0; y < in.height; ++y)
    for (int64_t x = 0; x < in.width; ++x)
      for (int64_t c = 0; c < in.channels; ++c)
        out.at(y / 2, x / 2, c) = std::max(out.at(y / 2, x / 2, c), in.at(y, x, c));
  return out;
}

// trace: of stages first .. first + trace.stages.size() - 1, whose first input is exact.
inline ForwardBound forward_bound(std::span<const double> parameters, const reference::Trace& trace,
                                  std::size_t first = 0) {
  ForwardBound bound;
  const Tensor& exact = trace.stages.front().input;
  Tensor error(exact.height, exact.width, exact.channels);
  for (std::size_t i = 0; i < trace.stages.size(); ++i) {
    const Stage& stage = kStages[first + i];
    const auto part = reference::stage_parameters(kStages, parameters, first + i);
    const auto kernel = absolute(part.kernel);
    const Tensor passed = reference::conv3x3(error, kernel, stage.out_channels);
    Tensor size = reference::conv3x3(absolute(trace.stages[i].input), kernel, stage.out_channels);
    size = plus(reference::add_bias(size, absolute(part.bias)), passed);
    bound.input.push_back(error);
    bound.preactivation.push_back(plus(passed, size, gamma_n(forward_terms(stage))));
    error = bound.preactivation.back();
    if (stage.tail == Tail::kPool) error = window_maximum(error);
    bound.output.push_back(error);
    if (stage.tail == Tail::kUpsample) error = reference::upsample(error);
  }
  if (trace.probabilities.values.empty()) return bound;
  // The sigmoid's slope is at most 1/4, its own evaluation good to 16 u.
  const Tensor& p = trace.probabilities;
  bound.probabilities = Tensor(p.height, p.width, p.channels);
  for (int64_t y = 0; y < p.height; ++y)
    for (int64_t x = 0; x < p.width; ++x)
      for (int64_t c = 0; c < p.channels; ++c) {
        const double z = trace.stages.back().preactivation.at(y + kBorder, x + kBorder, c);
        const double e = bound.preactivation.back().at(y + kBorder, x + kBorder, c);
        bound.probabilities.at(y, x, c) = e / 4.0 + 16 * 0x1p-24;
        bound.loss_sum += e + 16 * 0x1p-24 * (1.0 + std::abs(z));  // |d loss / d z| <= 1
      }
  return bound;
}

// 1 where rounding could open an element's ReLU and make it the maximum of its window; `certain` asks for
// those that no rounding could close.
inline Tensor passes(const Stage& stage, const Tensor& z, const Tensor& error, bool certain) {
  const double sign = certain ? -1.0 : 1.0;
  Tensor mask(z.height, z.width, z.channels);
  for (int64_t y = 0; y < z.height; ++y)
    for (int64_t x = 0; x < z.width; ++x)
      for (int64_t c = 0; c < z.channels; ++c) {
        const double best = z.at(y, x, c) + sign * error.at(y, x, c);
        bool open = best > 0.0;
        for (int64_t i = 0; stage.tail == Tail::kPool && i < 4; ++i) {
          const int64_t row = y / 2 * 2 + i / 2;
          const int64_t column = x / 2 * 2 + i % 2;
          if (row == y && column == x) continue;
          const double other = z.at(row, column, c) - sign * error.at(row, column, c);
          open = open && (certain ? best > other : best >= other);
        }
        mask.at(y, x, c) = open ? 1.0 : 0.0;
      }
  return mask;
}

inline Tensor times(Tensor a, const Tensor& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] *= b.values[i];
  return a;
}

// Bound of every parameter's gradient. Two tensors go back side by side: `size`, at least |g| whichever way
// rounding turned, and `error`, how far g may be off.
inline std::vector<double> gradient_bound(std::span<const double> parameters, const reference::Trace& trace,
                                          const ForwardBound& forward, const Tensor& targets, double scale) {
  Tensor size = absolute(reference::logits_gradient(trace.probabilities, targets, kBorder, scale));
  // p - t: the error of p, and a rounding each of 1/255, difference and scale.
  Tensor error = reference::pad(forward.probabilities, kBorder);
  for (std::size_t i = 0; i < size.values.size(); ++i)
    error.values[i] = error.values[i] * scale + gamma_n(4) * size.values[i];
  std::vector<std::vector<double>> parts;
  for (std::size_t s = kStages.size(); s-- > 0;) {
    const Stage& stage = kStages[s];
    if (stage.tail != Tail::kSigmoid) {
      for (Tensor* tensor : {&size, &error})  // of a pooled element, to each of its window
        *tensor =
            stage.tail == Tail::kPool ? reference::upsample(*tensor) : reference::upsample_gradient(*tensor);
      const Tensor& z = trace.stages[s].preactivation;
      const Tensor possible = passes(stage, z, forward.preactivation[s], false);
      const Tensor certain = passes(stage, z, forward.preactivation[s], true);
      size = times(size, possible);
      error = plus(times(error, possible), times(size, plus(possible, certain, -1.0)));
    }
    const int64_t pixels = int64_t{stage.grid} * stage.grid + 4;  // summed in any order
    parts.push_back(reference::bias_gradient(plus(error, plus(size, error), gamma_n(pixels))));

    const Tensor input = plus(absolute(trace.stages[s].input), forward.input[s]);
    parts.push_back(
        reference::conv3x3_kernel_gradient(input, plus(error, plus(size, error), gamma_n(pixels))));
    const auto from_input = reference::conv3x3_kernel_gradient(forward.input[s], size);
    for (std::size_t i = 0; i < from_input.size(); ++i) parts.back()[i] += from_input[i];

    // Products of one input pixel: nine taps, or those of the four output pixels that upsampling made of it.
    const auto kernel = absolute(reference::stage_parameters(kStages, parameters, s).kernel);
    const int64_t products = 4 * kTaps * stage.out_channels + 7;
    error = plus(error, plus(size, error), gamma_n(products));
    error = reference::conv3x3_data_gradient(error, kernel, stage.in_channels);
    size = reference::conv3x3_data_gradient(size, kernel, stage.in_channels);
  }
  std::vector<double> flat;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    flat.insert(flat.end(), part->begin(), part->end());
  return flat;
}

}  // namespace lookalike::test
