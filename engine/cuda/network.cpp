#include "engine/cuda/network.h"

#include <algorithm>

#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/bias_relu_pool.h"
#include "kernels/cuda/bias_relu_upsample.h"
#include "kernels/cuda/pad_bytes.h"
#include "kernels/cuda/pool_backward.h"
#include "kernels/cuda/sigmoid_bytes.h"
#include "kernels/cuda/sigmoid_loss.h"
#include "kernels/cuda/upsample_backward.h"

namespace lookalike::cuda {
namespace {

constexpr int kLast = kStageCount - 1;

const Stage& stage_of(int s) { return kStages[static_cast<std::size_t>(s)]; }

ActivationShape output_shape(int s, std::int64_t images) {
  return {images, stage_of(s).grid, stage_of(s).grid, stage_of(s).out_channels};
}

// float4 loads of biases and kernels.
constexpr bool quads_are_aligned() {
  for (int s = 0; s < kStageCount; ++s)
    if (kernel_offset(s) % 4 != 0 || bias_offset(s) % 4 != 0) return false;
  return true;
}
static_assert(quads_are_aligned());

}  // namespace

Network::Network(const ConvolutionLibrary& library, gpu::Stream stream, std::int64_t most, bool training,
                 const std::vector<std::int64_t>& batches)
    : library_(&library), stream_(stream), most_(most), training_(training) {
  for (const std::int64_t batch : batches)
    workspace_bytes_ = std::max(workspace_bytes_, workspace_for(batch));
  for (std::size_t slot = 0; slot < images_.size(); ++slot)
    images_[slot] = plan_.add<std::uint8_t>("images " + std::to_string(slot + 1),
                                            {most, kImageSize, kImageSize, kImageChannels});
  std::int64_t widest = 0;
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = stage_of(s);
    const std::string name = s == 0 ? "padded" : std::string(stage_of(s - 1).name) + " output";
    inputs_[static_cast<std::size_t>(s)] =
        plan_.add<float>(name, {most, stage.grid, stage.grid, stage.in_channels});
    widest = std::max({widest, std::int64_t{stage.grid} * stage.grid * stage.out_channels,
                       std::int64_t{stage.grid} * stage.grid * stage.in_channels});
  }
  output_ = plan_.add<float>("convolution", {most, widest});
  loss_parts_ = plan_.add<double>("loss sums", {most, kLossBlocks});
  if (training) {
    slope_ = plan_.add<float>("gradient", {most, widest});
    for (int s = 0; s < kEncoderStages; ++s) {
      const Stage& stage = stage_of(s);
      winners_[static_cast<std::size_t>(s)] =
          plan_.add<std::uint8_t>(std::string(stage.name) + " winners",
                                  {most, stage.output_size(), stage.output_size(), stage.out_channels});
    }
    bias_parts_ = plan_.add<double>("bias sums", {kBiasBlocks, 16});
  }
  workspace_ = plan_.add<unsigned char>("workspace", {static_cast<std::int64_t>(workspace_bytes_)});
}

std::size_t Network::workspace_for(std::int64_t batch) {
  Stages& stages = convolutions_[batch];
  if (stages.empty())
    for (const Stage& stage : kStages)
      stages.emplace_back(
          *library_, ConvolutionShape{batch, stage.grid, stage.in_channels, stage.out_channels}, training_);
  std::size_t bytes = 1;
  for (const Convolution& convolution : stages) bytes = std::max(bytes, convolution.workspace_bytes());
  return bytes;
}

void Network::encoder(ParameterView<const float> parameters, int slot, const Batch& batch, bool winners) {
  Stages& stages = convolutions(batch.batch);
  float* out = memory_.part<float>(output_);
  pad_bytes(images(slot), input(0), batch.images, stream_);
  for (int s = 0; s < kEncoderStages; ++s) {
    stages[static_cast<std::size_t>(s)].forward(input(s), parameters.kernel(s), out, workspace());
    std::uint8_t* winner =
        winners ? memory_.part<std::uint8_t>(winners_[static_cast<std::size_t>(s)]) : nullptr;
    bias_relu_pool(out, parameters.bias(s), input(s + 1), winner, output_shape(s, batch.images), stream_);
  }
}

void Network::decoder(ParameterView<const float> parameters, const Batch& batch) {
  Stages& stages = convolutions(batch.batch);
  float* out = memory_.part<float>(output_);
  for (int s = kEncoderStages; s < kStageCount; ++s) {
    stages[static_cast<std::size_t>(s)].forward(input(s), parameters.kernel(s), out, workspace());
    if (s < kLast)
      bias_relu_upsample(out, parameters.bias(s), input(s + 1), output_shape(s, batch.images), stream_);
  }
}

void Network::losses(ParameterView<const float> parameters, int slot, const Batch& batch, float scale,
                     double* losses, float* slope) {
  decoder(parameters, batch);
  SigmoidLoss of;
  of.logits = memory_.part<float>(output_);
  of.bias = parameters.bias(kLast);
  of.images = images(slot);
  of.scale = scale;
  of.partial = memory_.part<double>(loss_parts_);
  of.loss = losses;
  of.gradient = slope;
  sigmoid_loss(of, batch.images, stream_);
}

void Network::backward(ParameterView<const float> parameters, std::int64_t images, bool accumulate,
                       ParameterView<float> gradient) {
  Stages& stages = convolutions(images);
  float* slope = memory_.part<float>(slope_);
  float* in_slope = memory_.part<float>(output_);
  for (int s = kLast; s >= 0; --s) {
    const Stage& stage = stage_of(s);
    const Convolution& convolution = stages[static_cast<std::size_t>(s)];
    convolution.kernel_gradient(input(s), slope, gradient.kernel(s), accumulate, workspace());
    bias_gradient(slope, memory_.part<double>(bias_parts_), gradient.bias(s),
                  images * stage.grid * stage.grid, stage.out_channels, accumulate, stream_);
    if (s == 0) break;
    convolution.data_gradient(slope, parameters.kernel(s), in_slope, workspace());
    if (s > kEncoderStages)
      upsample_backward(in_slope, input(s), slope, output_shape(s - 1, images), stream_);
    else
      pool_backward(in_slope, memory_.part<std::uint8_t>(winners_[static_cast<std::size_t>(s - 1)]), slope,
                    output_shape(s - 1, images), stream_);
  }
}

void Network::encode(ParameterView<const float> parameters, int slot, const Batch& batch) {
  encoder(parameters, slot, batch, false);
}

void Network::decode(ParameterView<const float> parameters, int slot, const Batch& batch) {
  decoder(parameters, batch);
  sigmoid_bytes(memory_.part<float>(output_), parameters.bias(kLast), images(slot), batch.images, stream_);
}

void Network::loss(ParameterView<const float> parameters, int slot, const Batch& batch, double* losses) {
  encoder(parameters, slot, batch, false);
  this->losses(parameters, slot, batch, 1.0F, losses, nullptr);
}

void Network::gradient(ParameterView<const float> parameters, int slot, const Batch& batch, float scale,
                       bool accumulate, double* losses, ParameterView<float> gradient) {
  encoder(parameters, slot, batch, true);
  this->losses(parameters, slot, batch, scale, losses, memory_.part<float>(slope_));
  backward(parameters, batch.images, accumulate, gradient);
}

}  // namespace lookalike::cuda
