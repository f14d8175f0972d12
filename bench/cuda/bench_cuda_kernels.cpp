// Each kernel of the training step on its largest shape, for a batch of images. Limits of an H100: 3.3 TB/s;
// 67 TFLOP/s in float32.
#include "bench/cuda/timed.h"
#include "kernels/cuda/adam.h"
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/bias_relu_pool.h"
#include "kernels/cuda/bias_relu_upsample.h"
#include "kernels/cuda/conv.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/non_finite.h"
#include "kernels/cuda/pad_bytes.h"
#include "kernels/cuda/pool_backward.h"
#include "kernels/cuda/sigmoid_bytes.h"
#include "kernels/cuda/sigmoid_loss.h"
#include "kernels/cuda/upsample_backward.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

using benchmark::State;
using cuda::ActivationShape;

template <class T>
gpu::Buffer<T> zeros(std::int64_t size) {
  gpu::Buffer<T> buffer(static_cast<std::size_t>(size));
  gpu::fill(buffer.data(), 0, buffer.size() * sizeof(T), nullptr);
  return buffer;
}
double bytes_of(std::int64_t floats) { return 4.0 * static_cast<double>(floats); }

ActivationShape widest(const State& state) { return {state.range(0), kGridSize, kGridSize, 16}; }
ActivationShape half_of(const ActivationShape& shape) {
  return {shape.images, shape.height / 2, shape.width / 2, shape.channels};
}

void PadBytes(State& state) {
  if (!has_device(state)) return;
  const std::int64_t n = state.range(0), padded = n * kGridSize * kGridSize * kImageChannels;
  const auto in = zeros<std::uint8_t>(n * kImageBytes);
  const auto out = zeros<float>(padded);
  time_on_device(state, static_cast<double>(n * kImageBytes) + bytes_of(padded), 0,
                 [&] { cuda::pad_bytes(in.data(), out.data(), n, nullptr); });
}
void BiasReluPool(State& state) {
  if (!has_device(state)) return;
  const ActivationShape shape = widest(state), half = half_of(shape);
  const auto in = zeros<float>(shape.size()), bias = zeros<float>(16), out = zeros<float>(half.size());
  const auto winners = zeros<std::uint8_t>(half.size());
  time_on_device(state, bytes_of(shape.size()) + 5.0 * static_cast<double>(half.size()), 0, [&] {
    cuda::bias_relu_pool(in.data(), bias.data(), out.data(), winners.data(), shape, nullptr);
  });
}
void PoolBackward(State& state) {
  if (!has_device(state)) return;
  const ActivationShape shape = widest(state), half = half_of(shape);
  const auto out = zeros<float>(half.size()), in = zeros<float>(shape.size());
  const auto winners = zeros<std::uint8_t>(half.size());
  time_on_device(state, bytes_of(shape.size()) + 5.0 * static_cast<double>(half.size()), 0,
                 [&] { cuda::pool_backward(out.data(), winners.data(), in.data(), shape, nullptr); });
}
void BiasReluUpsample(State& state) {
  if (!has_device(state)) return;
  const ActivationShape shape = widest(state), half = half_of(shape);
  const auto in = zeros<float>(half.size()), bias = zeros<float>(16), out = zeros<float>(shape.size());
  time_on_device(state, bytes_of(shape.size() + half.size()), 0,
                 [&] { cuda::bias_relu_upsample(in.data(), bias.data(), out.data(), half, nullptr); });
}
void UpsampleBackward(State& state) {
  if (!has_device(state)) return;
  const ActivationShape shape = widest(state), half = half_of(shape);
  const auto slope = zeros<float>(shape.size()), out = zeros<float>(shape.size()),
             in = zeros<float>(half.size());
  time_on_device(state, bytes_of(shape.size() + 2 * half.size()), 0,
                 [&] { cuda::upsample_backward(slope.data(), out.data(), in.data(), half, nullptr); });
}
void SigmoidLoss(State& state) {
  if (!has_device(state)) return;
  const std::int64_t n = state.range(0), size = n * kGridSize * kGridSize * kImageChannels;
  const auto logits = zeros<float>(size), bias = zeros<float>(4), gradient = zeros<float>(size);
  const auto images = zeros<std::uint8_t>(n * kImageBytes);
  const auto partial = zeros<double>(n * cuda::kLossBlocks), loss = zeros<double>(n);
  const cuda::SigmoidLoss of{logits.data(),  bias.data(), images.data(),  1.0F,
                             partial.data(), loss.data(), gradient.data()};
  time_on_device(state, bytes_of(2 * size) + static_cast<double>(n * kImageBytes), 0,
                 [&] { cuda::sigmoid_loss(of, n, nullptr); });
}
void SigmoidBytes(State& state) {
  if (!has_device(state)) return;
  const std::int64_t n = state.range(0), size = n * kGridSize * kGridSize * kImageChannels;
  const auto logits = zeros<float>(size), bias = zeros<float>(4);
  const auto out = zeros<std::uint8_t>(n * kImageBytes);
  time_on_device(state, bytes_of(size) + static_cast<double>(n * kImageBytes), 0,
                 [&] { cuda::sigmoid_bytes(logits.data(), bias.data(), out.data(), n, nullptr); });
}
void BiasGradient(State& state) {
  if (!has_device(state)) return;
  const ActivationShape shape = widest(state);
  const auto gradient = zeros<float>(shape.size()), out = zeros<float>(16);
  const auto partial = zeros<double>(std::int64_t{cuda::kBiasBlocks} * 16);
  time_on_device(state, bytes_of(shape.size()), 0, [&] {
    cuda::bias_gradient(gradient.data(), partial.data(), out.data(), shape.size() / 16, 16, false, nullptr);
  });
}
void AdamStep(State& state) {
  if (!has_device(state)) return;
  const auto g = zeros<float>(kParameterCount), p = zeros<float>(kParameterCount);
  const auto m = zeros<float>(kParameterCount), v = zeros<float>(kParameterCount);
  time_on_device(state, bytes_of(7 * kParameterCount), 0, [&] {
    cuda::adam_step({}, 1, {}, {g.data(), p.data(), m.data(), v.data(), kParameterCount}, nullptr);
  });
}
void FindNonFinite(State& state) {
  if (!has_device(state)) return;
  const auto values = zeros<float>(kParameterCount);
  const auto found = zeros<std::int32_t>(cuda::kMaxTensors);
  cuda::TensorBounds bounds;
  bounds.tensors = 1;
  bounds.begin[1] = kParameterCount;
  time_on_device(state, bytes_of(kParameterCount), 0,
                 [&] { cuda::find_non_finite(values.data(), bounds, found.data(), nullptr); });
}

// range(1): stage; range(2): 0 forward, 1 gradient of the input, 2 of the kernel.
void Convolution(State& state) {
  if (!has_device(state)) return;
  const Stage& stage = kStages[static_cast<std::size_t>(state.range(1))];
  const std::int64_t pixels = state.range(0) * stage.grid * stage.grid;
  const cuda::ConvolutionLibrary library(nullptr);
  const cuda::Convolution by(library, {state.range(0), stage.grid, stage.in_channels, stage.out_channels},
                             true);
  const auto in = zeros<float>(pixels * stage.in_channels), out = zeros<float>(pixels * stage.out_channels);
  const auto kernel = zeros<float>(stage.kernel_count());
  const auto memory = zeros<unsigned char>(static_cast<std::int64_t>(by.workspace_bytes()));
  const cuda::Workspace workspace{memory.data(), memory.size()};
  time_on_device(state, bytes_of(pixels * (stage.in_channels + stage.out_channels)),
                 2.0 * static_cast<double>(pixels * stage.kernel_count()), [&] {
                   if (state.range(2) == 0) by.forward(in.data(), kernel.data(), out.data(), workspace);
                   if (state.range(2) == 1) by.data_gradient(out.data(), kernel.data(), in.data(), workspace);
                   if (state.range(2) == 2)
                     by.kernel_gradient(in.data(), out.data(), kernel.data(), false, workspace);
                 });
}
void MatrixProduct(State& state) {
  if (!has_device(state)) return;
  const std::int64_t m = state.range(0), n = 256, k = kCodeLength;
  const cuda::MatrixLibrary library(nullptr);
  const auto a = zeros<float>(m * k), b = zeros<float>(n * k), c = zeros<float>(m * n);
  time_on_device(state, bytes_of(m * k + n * k + m * n), 2.0 * static_cast<double>(m * n * k),
                 [&] { library.product(a.data(), b.data(), c.data(), m, n, k); });
}

void batches(benchmark::internal::Benchmark* of) { of->Arg(32)->Arg(256)->UseManualTime(); }
BENCHMARK(PadBytes)->Apply(batches);
BENCHMARK(BiasReluPool)->Apply(batches);
BENCHMARK(PoolBackward)->Apply(batches);
BENCHMARK(BiasReluUpsample)->Apply(batches);
BENCHMARK(UpsampleBackward)->Apply(batches);
BENCHMARK(SigmoidLoss)->Apply(batches);
BENCHMARK(SigmoidBytes)->Apply(batches);
BENCHMARK(BiasGradient)->Apply(batches);
BENCHMARK(AdamStep)->UseManualTime();
BENCHMARK(FindNonFinite)->UseManualTime();
BENCHMARK(Convolution)->ArgsProduct({{256}, {0, 1, 2, 3, 4, 5, 6}, {0, 1, 2}})->UseManualTime();
BENCHMARK(MatrixProduct)->Arg(4096)->UseManualTime();

}  // namespace
}  // namespace lookalike
