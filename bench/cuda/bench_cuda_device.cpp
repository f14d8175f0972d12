// Whole tasks of the CUDA engine, from images in the host's memory: encode, training step, search. Times are
// the host's, as a caller sees them; images/s or pairs/s beside.
#include <benchmark/benchmark.h>

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
void report(State& state, std::int64_t items) {
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
  const auto images = test::random_image(2, state.range(0) * kImageBytes);
  std::vector<float> codes(static_cast<std::size_t>(state.range(0) * kCodeLength));
  for (auto _ : state) on->encode(images, codes);
  report(state, state.range(0));
}
void TrainStep(State& state) {
  if (!has_device(state)) return;
  const auto on = device();
  const auto images = test::random_image(2, state.range(0) * kImageBytes);
  for (auto _ : state) benchmark::DoNotOptimize(on->train_step(images, {}));
  report(state, state.range(0));
}
// range(0) queries, range(1) rows, 10 neighbours; items are pairs.
void Search(State& state) {
  if (!has_device(state)) return;
  const auto on = device();
  const auto rows = test::random_floats(state.range(1) * kCodeLength, 0.0, 2.0, 3);
  SearchBlock block;
  block.rows = rows;
  block.queries = std::span(rows).first(static_cast<std::size_t>(state.range(0) * kCodeLength));
  for (auto _ : state) {
    TopK best(state.range(0), 10);
    on->nearest(block, best);
  }
  report(state, state.range(0) * state.range(1));
}

BENCHMARK(Encode)->ArgsProduct({{1, 32, 256, 4096}, {0, 1}})->UseRealTime();
BENCHMARK(TrainStep)->Arg(32)->Arg(256)->UseRealTime();
BENCHMARK(Search)->Args({1, 100000})->Args({1024, 100000})->UseRealTime();

}  // namespace
}  // namespace lookalike
