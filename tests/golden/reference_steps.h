// The ten Adam steps of a golden case in double, by the loops of tests/reference.
#pragma once

#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

#include "tests/golden/golden.h"
#include "tests/reference/adam.h"
#include "tests/reference/autoencoder.h"
#include "tests/support/inputs.h"

namespace lookalike::test {

// One window of a max pool: before the update of step `step` (from 1), of one image and one encoder stage.
struct PoolWindow {
  int step;
  int64_t image;
  std::size_t stage;
  int64_t y, x, c;
};

// The one tie of `photos`: its two largest elements are 2.3e-8 apart at 0.248.
inline constexpr PoolWindow kPhotosTie{.step = 7, .image = 1, .stage = 2, .y = 1, .x = 7, .c = 1};

// Sends the window's gradient to its second largest element. Throws where float32 could tell the two apart.
// The last two operations of an element, the last addition of its sum and that of the bias, are rounded by up
// to 2^-24 of the value each, in whatever order the rest was added: of two elements, four such roundings.
inline void turn_tie(reference::StageTrace& stage, const PoolWindow& window) {
  reference::Pooled& pooled = stage.pooled;
  const auto value = [&](int at) {
    return stage.activation.at(2 * window.y + at / 2, 2 * window.x + at % 2, window.c);
  };
  const reference::Tensor& out = pooled.out;
  int& winner =
      pooled.argmax[static_cast<std::size_t>((window.y * out.width + window.x) * out.channels + window.c)];
  int second = winner == 0 ? 1 : 0;
  for (int at = 0; at < 4; ++at)
    if (at != winner && value(at) > value(second)) second = at;
  if (!(value(winner) - value(second) < 4 * 0x1p-24 * value(winner)))
    throw std::invalid_argument("this window is no tie in float32");
  winner = second;
}

// Mean loss of the batch; its gradient goes to `gradient`. visit(image, trace) comes between the two passes.
inline double batch_gradient(const GoldenCase& golden, const std::vector<double>& parameters,
                             std::vector<double>& gradient,
                             const std::function<void(int64_t, reference::Trace&)>& visit = {}) {
  gradient.assign(kParameterCount, 0.0);
  double loss = 0.0;
  const double scale = 1.0 / static_cast<double>(golden.count * kImageBytes);
  for (int64_t n = 0; n < golden.count; ++n) {
    const auto target =
        reference::unit_image(std::span(golden.images).subspan(static_cast<std::size_t>(n * kImageBytes)),
                              kImageSize, kImageChannels);
    reference::Trace trace = reference::forward(kStages, parameters, target);
    loss += reference::cross_entropy_sum(trace.probabilities, target) * scale;
    if (visit) visit(n, trace);
    const auto part = reference::backward(
        kStages, parameters, trace, reference::logits_gradient(trace.probabilities, target, kBorder, scale));
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += part[i];
  }
  return loss;
}

struct TenSteps {
  std::vector<double> losses;  // before each step
  std::vector<double> parameters;
};

// tie: null, or a window whose winner is turned.
inline TenSteps ten_steps(const GoldenCase& golden, const PoolWindow* tie = nullptr) {
  TenSteps result{{}, doubles(load_parameters(golden, "weights"))};
  std::vector<double> m(kParameterCount), v(kParameterCount), gradient;
  for (int step = 1; step <= 10; ++step) {
    result.losses.push_back(
        batch_gradient(golden, result.parameters, gradient, [&](int64_t image, reference::Trace& trace) {
          if (tie != nullptr && tie->step == step && tie->image == image)
            turn_tie(trace.stages[tie->stage], *tie);
        }));
    reference::adam_step(golden.adam, step, gradient, result.parameters, m, v);
  }
  return result;
}

}  // namespace lookalike::test
