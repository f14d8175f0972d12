// The whole autoencoder of one image: forward, loss and the gradient of every parameter. Any table of stages
// will do, so that tests can use a small one; the product's is kStages.
#pragma once

#include <span>
#include <utility>

#include "kernels/topology.h"
#include "tests/reference/bias_relu.h"
#include "tests/reference/conv3x3.h"
#include "tests/reference/max_pool.h"
#include "tests/reference/sigmoid_loss.h"
#include "tests/reference/upsample.h"

namespace lookalike::reference {

// What the backward pass and the tests read of one stage.
struct StageTrace {
  Tensor input;          // of the convolution
  Tensor preactivation;  // convolution and bias; the logits of the last stage
  Tensor activation;     // ReLU of it (empty in the last stage)
  Pooled pooled;         // of the encoder's stages

  // The stage's result, before upsampling in the decoder.
  const Tensor& output() const { return pooled.out.values.empty() ? activation : pooled.out; }
};

struct Trace {
  std::vector<StageTrace> stages;
  Tensor probabilities;
};

struct StageParameters {
  std::span<const double> kernel;  // (R, S, C, K)
  std::span<const double> bias;    // (K)
};

// Parameters of one stage in the flat array of topology.h.
inline StageParameters stage_parameters(std::span<const Stage> stages, std::span<const double> parameters,
                                        std::size_t stage) {
  std::size_t offset = 0;
  for (std::size_t s = 0; s < stage; ++s) offset += static_cast<std::size_t>(stages[s].parameter_count());
  const auto kernel_count = static_cast<std::size_t>(stages[stage].kernel_count());
  return {parameters.subspan(offset, kernel_count),
          parameters.subspan(offset + kernel_count, static_cast<std::size_t>(stages[stage].out_channels))};
}

inline StageTrace run_stage(const Stage& stage, const StageParameters& parameters, Tensor input) {
  StageTrace trace;
  trace.input = std::move(input);
  trace.preactivation =
      add_bias(conv3x3(trace.input, parameters.kernel, stage.out_channels), parameters.bias);
  if (stage.tail == Tail::kSigmoid) return trace;
  trace.activation = relu(trace.preactivation);
  if (stage.tail == Tail::kPool) trace.pooled = max_pool(trace.activation);
  return trace;
}

// Bytes (H, W, C) / 255.
inline Tensor unit_image(std::span<const uint8_t> image, int64_t size, int64_t channels) {
  Tensor out(size, size, channels);
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = image[i] / 255.0;
  return out;
}

inline Tensor pad(const Tensor& in, int64_t border) {
  Tensor out(in.height + 2 * border, in.width + 2 * border, in.channels);
  for (int64_t y = 0; y < in.height; ++y)
    for (int64_t x = 0; x < in.width; ++x)
      for (int64_t c = 0; c < in.channels; ++c) out.at(y + border, x + border, c) = in.at(y, x, c);
  return out;
}

// Stages first .. last - 1, from `input`, the first one's.
inline Trace run_stages(std::span<const Stage> stages, std::span<const double> parameters, std::size_t first,
                        std::size_t last, Tensor input) {
  Trace trace;
  for (std::size_t s = first; s < last; ++s) {
    trace.stages.push_back(run_stage(stages[s], stage_parameters(stages, parameters, s), std::move(input)));
    const StageTrace& done = trace.stages.back();
    if (stages[s].tail == Tail::kSigmoid)
      trace.probabilities = cropped_sigmoid(done.preactivation, kBorder);
    else
      input = stages[s].tail == Tail::kUpsample ? upsample(done.output()) : done.output();
  }
  return trace;
}

// targets: the image itself, unit_image's.
inline Trace forward(std::span<const Stage> stages, std::span<const double> parameters,
                     const Tensor& targets) {
  return run_stages(stages, parameters, 0, stages.size(), pad(targets, kBorder));
}

// Gradient of every parameter, from the gradient of the logits.
inline std::vector<double> backward(std::span<const Stage> stages, std::span<const double> parameters,
                                    const Trace& trace, Tensor gradient) {
  std::vector<std::vector<double>> parts;
  for (std::size_t s = stages.size(); s-- > 0;) {
    const StageTrace& stage = trace.stages[s];
    if (stages[s].tail == Tail::kPool) gradient = max_pool_gradient(stage.pooled, gradient);
    if (stages[s].tail == Tail::kUpsample) gradient = upsample_gradient(gradient);
    if (stages[s].tail != Tail::kSigmoid) gradient = relu_gradient(stage.activation, gradient);
    parts.push_back(bias_gradient(gradient));
    parts.push_back(conv3x3_kernel_gradient(stage.input, gradient));
    gradient = conv3x3_data_gradient(gradient, stage_parameters(stages, parameters, s).kernel,
                                     stages[s].in_channels);
  }
  std::vector<double> flat;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    flat.insert(flat.end(), part->begin(), part->end());
  return flat;
}

struct LossAndGradient {
  double loss_sum = 0.0;         // over the image's elements
  std::vector<double> gradient;  // d loss_sum / d parameter * scale
};

inline LossAndGradient loss_and_gradient(std::span<const Stage> stages, std::span<const double> parameters,
                                         const Tensor& targets, double scale) {
  const Trace trace = forward(stages, parameters, targets);
  return {cross_entropy_sum(trace.probabilities, targets),
          backward(stages, parameters, trace, logits_gradient(trace.probabilities, targets, kBorder, scale))};
}

}  // namespace lookalike::reference
