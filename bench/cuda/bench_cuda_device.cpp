// Whole tasks of the CUDA engine, from images in the host's memory and back: encode, training step, search.
// Every call waits for its result, so events around it time the transfers and the host's share too. Limits of
// an H100: 64 GB/s over PCIe; 67 TFLOP/s in float32, 990 in fp16.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "bench/cuda/timed.h"
#include "engine/cuda/device.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using benchmark::State;

std::unique_ptr<Device> device() {
  auto device = cuda::make_cuda_device({});
  device->set_parameters(test::random_parameters(kStages, 1));
  return device;
}

// Of an image, forward.
double flops(int first, int last) {
  double sum = 0;
  for (int s = first; s < last; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    sum += 2.0 * stage.grid * stage.grid * static_cast<double>(stage.kernel_count());
  }
  return sum;
}

// bytes: over PCIe.
void time_task(State& state, std::int64_t items, double bytes, double flops,
               const std::function<void()>& work) {
  time_on_device(state, bytes, flops, work, 1);
  state.SetItemsProcessed(state.iterations() * items);
  state.SetLabel(gpu::properties().name);
}

// range(1): 1 for fp16.
void Encode(State& state) {
  if (!has_device(state)) return;
  const auto on = device();
  if (state.range(1) == 1) {
    if (gpu::properties().major != 9) return state.SkipWithError("fp16 is for compute capability 9.0");
    on->set_precision(Precision::kHalf);
  }
  const std::int64_t n = state.range(0);
  const auto images = test::random_image(2, n * kImageBytes);
  std::vector<float> codes(static_cast<std::size_t>(n * kCodeLength));
  time_task(state, n, static_cast<double>(n) * (kImageBytes + 4.0 * kCodeLength),
            static_cast<double>(n) * flops(0, kEncoderStages), [&] { on->encode(images, codes); });
}

// A step's backward pass is twice its forward one, but for the gradient of the images. range(1): 1 where the
// device holds the images; 0 where each batch comes during the step before, as train has it.
void TrainStep(State& state) {
  if (!has_device(state)) return;
  const auto on = device();
  const std::int64_t n = state.range(0);
  const auto images = test::random_image(2, n * kImageBytes);
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < n; ++i) numbers.push_back(i);
  const double all = static_cast<double>(n) * (3 * flops(0, kStageCount) - flops(0, 1));
  on->prepare({.images = n, .training = true});
  if (state.range(1) == 0) {
    std::uint64_t ticket = 0;
    return time_task(state, n, static_cast<double>(n * kImageBytes), all, [&] {
      const auto next = [&](std::uint64_t given) {
        ticket = given;
        return std::span<const std::uint8_t>(images);
      };
      benchmark::DoNotOptimize(on->train_step_ahead(images, {}, {ticket, next}));
    });
  }
  const Held held = on->hold({n, [&](std::span<const std::int64_t> of, std::span<std::uint8_t> out) {
                                std::copy_n(images.begin() + of[0] * kImageBytes, out.size(), out.begin());
                              }});
  if (held != Held::kHeld) return state.SkipWithError("the device has no room for the images");
  time_task(state, n, 0, all, [&] { benchmark::DoNotOptimize(on->train_step_on_held(numbers, {})); });
}

// range(0) queries, range(1) rows, 10 neighbours; items are pairs.
void Search(State& state) {
  if (!has_device(state)) return;
  const auto on = device();
  const auto rows = test::random_floats(state.range(1) * kCodeLength, 0.0, 2.0, 3);
  SearchBlock block;
  block.rows = rows;
  block.queries = std::span(rows).first(static_cast<std::size_t>(state.range(0) * kCodeLength));
  const std::int64_t pairs = state.range(0) * state.range(1);
  time_task(state, pairs, 4.0 * static_cast<double>((state.range(0) + state.range(1)) * kCodeLength),
            2.0 * static_cast<double>(pairs) * kCodeLength, [&] {
              TopK best(state.range(0), 10);
              on->nearest(block, best);
            });
}

BENCHMARK(Encode)->ArgsProduct({{1, 32, 256, 4096}, {0, 1}})->UseManualTime();
BENCHMARK(TrainStep)->ArgsProduct({{32, 256}, {0, 1}})->UseManualTime();
BENCHMARK(Search)->Args({1, 100000})->Args({1024, 100000})->UseManualTime();

}  // namespace
}  // namespace lookalike
