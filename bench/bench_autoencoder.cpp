// The CPU kernels on one thread, and the CPU device on all: images/s, multiply-adds/s, and their share of the
// multiply-add peak measured in the same run ("peak" is that of one thread).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/bench_autoencoder.cpp"
#include <hwy/foreach_target.h>
// Highway's header first: it sets the target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Returns the multiply-adds done; `sink` keeps them from being dropped.
int64_t MultiplyAdd(int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999F);
  const auto term = hn::Set(d, 0.001F);
  hn::Vec<decltype(d)> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = hn::Set(d, 1.0F + static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
    for (auto& c : chain) c = hn::MulAdd(c, factor, term);
  }
  for (const auto& c : chain) *sink += hn::GetLane(c);
  return rounds * kChains * static_cast<int64_t>(hn::Lanes(d));
}

}  // namespace lookalike::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

#include "engine/device.h"
#include "engine/random.h"
#include "kernels/cpu/autoencoder.h"
#include "kernels/cpu/passes.h"

namespace lookalike {
namespace {

HWY_EXPORT(MultiplyAdd);

// Processor time: what else runs on the machine does not count.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Multiply-adds a second of one thread: the best of a few short runs.
double peak() {
  static const double kPeak = [] {
    double best = 0.0;
    float sink = 0.0F;
    for (int run = 0; run < 8; ++run) {
      const double start = thread_seconds();
      const int64_t done = HWY_DYNAMIC_DISPATCH(MultiplyAdd)(1 << 20, &sink);
      best = std::max(best, static_cast<double>(done) / (thread_seconds() - start));
    }
    benchmark::DoNotOptimize(sink);
    return best;
  }();
  return kPeak;
}

// Multiply-adds of one image. Decoder stages count in phases: 16 for each channel pair and low-resolution
// pixel.
constexpr double macs(int stage) {
  const Stage& s = kStages[static_cast<std::size_t>(stage)];
  const double pairs = double{1} * s.in_channels * s.out_channels;
  return stage <= kEncoderStages ? pairs * kTaps * s.grid * s.grid : pairs * 16 * (s.grid / 2) * (s.grid / 2);
}
constexpr double macs(int first, int last) {
  double sum = 0.0;
  for (int s = first; s <= last; ++s) sum += macs(s);
  return sum;
}
constexpr double kEncodeMacs = macs(0, 2);
constexpr double kDecodeMacs = macs(3, 6);
// Forward, weights and data; no data gradient of the image. The encoder's are counted dense, as every library
// does them, although backward visits the winners of the pool windows only.
constexpr double kTrainMacs = 3 * (kEncodeMacs + kDecodeMacs) - macs(0);

void report(benchmark::State& state, int64_t images, double macs_each) {
  const double done = static_cast<double>(state.iterations() * images);
  state.counters["images/s"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["MAC/s"] = benchmark::Counter(done * macs_each, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(done * macs_each / peak(), benchmark::Counter::kIsRate);
}

std::vector<uint8_t> some_images(int64_t count) {
  std::vector<uint8_t> images(static_cast<std::size_t>(count * kImageBytes));
  // Smooth areas with noise on top, as photos have.
  uint32_t state = 1;
  for (std::size_t i = 0; i < images.size(); ++i) {
    state = state * 1664525U + 1013904223U;
    images[i] = static_cast<uint8_t>((i / 997 * 31) % 224 + (state >> 27));
  }
  return images;
}

struct OneImage {
  std::vector<float> parameters = initial_parameters(1);
  std::vector<uint8_t> image = some_images(1);
  cpu::PackedPointer packed = cpu::make_packed_parameters();
  cpu::WorkspacePointer workspace = cpu::make_workspace();
  OneImage() {
    cpu::pack(std::span<const float, kParameterCount>(parameters.data(), kParameterCount), *packed);
  }
};

void BM_Peak(benchmark::State& state) {
  float sink = 0.0F;
  int64_t done = 0;
  for (auto _ : state) done += HWY_DYNAMIC_DISPATCH(MultiplyAdd)(1 << 16, &sink);
  benchmark::DoNotOptimize(sink);
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(done), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Peak);

void BM_EncodeImage(benchmark::State& state) {
  OneImage one;
  std::vector<float> code(kCodeLength);
  for (auto _ : state) cpu::encode_image(*one.packed, one.image.data(), *one.workspace, code.data());
  report(state, 1, kEncodeMacs);
}
BENCHMARK(BM_EncodeImage);

void BM_DecodeCode(benchmark::State& state) {
  OneImage one;
  std::vector<float> code(kCodeLength);
  cpu::encode_image(*one.packed, one.image.data(), *one.workspace, code.data());
  for (auto _ : state) cpu::decode_code(*one.packed, code.data(), *one.workspace, one.image.data());
  report(state, 1, kDecodeMacs);
}
BENCHMARK(BM_DecodeCode);

void BM_ImageLoss(benchmark::State& state) {
  OneImage one;
  for (auto _ : state)
    benchmark::DoNotOptimize(cpu::image_loss(*one.packed, one.image.data(), *one.workspace));
  report(state, 1, kEncodeMacs + kDecodeMacs);
}
BENCHMARK(BM_ImageLoss);

void BM_ImageGradient(benchmark::State& state) {
  OneImage one;
  std::vector<float> gradient(kParameterCount);
  for (auto _ : state) {
    cpu::image_gradient(*one.packed, one.image.data(), 1e-6F, *one.workspace, gradient.data());
  }
  report(state, 1, kTrainMacs);
}
BENCHMARK(BM_ImageGradient);

// One pass of the above, on what the passes before it left. A convolution and its pool, or its upsampling,
// are one pass.
void BM_Pass(benchmark::State& state, double macs_each, void (*pass)(OneImage&, float* gradient)) {
  OneImage one;
  std::vector<float> gradient(kParameterCount);
  cpu::image_gradient(*one.packed, one.image.data(), 1e-6F, *one.workspace, gradient.data());
  for (auto _ : state) {
    pass(one, gradient.data());
    benchmark::ClobberMemory();
  }
  report(state, 1, macs_each);
}
BENCHMARK_CAPTURE(BM_Pass, split_image, 0.0,
                  [](OneImage& one, float*) { cpu::split_image(one.image.data(), *one.workspace); });
BENCHMARK_CAPTURE(BM_Pass, encode_planes, kEncodeMacs,
                  [](OneImage& one, float*) { cpu::encode_planes(*one.packed, *one.workspace); });
BENCHMARK_CAPTURE(BM_Pass, encode_planes_for_gradient, kEncodeMacs, [](OneImage& one, float*) {
  cpu::encode_planes_for_gradient(*one.packed, *one.workspace);
});
BENCHMARK_CAPTURE(BM_Pass, decode_planes, macs(3, 5),
                  [](OneImage& one, float*) { cpu::decode_planes(*one.packed, *one.workspace); });
BENCHMARK_CAPTURE(BM_Pass, output_gradient, macs(6), [](OneImage& one, float*) {
  benchmark::DoNotOptimize(cpu::output_gradient(*one.packed, 1e-6F, *one.workspace));
});
BENCHMARK_CAPTURE(BM_Pass, decoder_backward, 2 * kDecodeMacs, [](OneImage& one, float* gradient) {
  cpu::decoder_backward(*one.packed, *one.workspace, gradient);
});
BENCHMARK_CAPTURE(BM_Pass, encoder_backward, 2 * kEncodeMacs - macs(0), [](OneImage& one, float* gradient) {
  cpu::encoder_backward(*one.packed, one.image.data(), *one.workspace, gradient);
});

void BM_Adam(benchmark::State& state) {
  std::vector<float> parameters = initial_parameters(1);
  const std::vector<float> gradient(kParameterCount, 1e-3F);
  OptimizerState optimizer;
  for (auto _ : state) cpu::adam_step({}, ++optimizer.step, gradient, parameters, optimizer.m, optimizer.v);
  state.SetItemsProcessed(state.iterations() * kParameterCount);
}
BENCHMARK(BM_Adam);

void BM_DeviceEncode(benchmark::State& state) {
  const int64_t batch = state.range(0);
  const auto device = make_cpu_device(0);
  device->set_parameters(initial_parameters(1));
  const std::vector<uint8_t> images = some_images(batch);
  std::vector<float> codes(static_cast<std::size_t>(batch * kCodeLength));
  for (auto _ : state) device->encode(images, codes);
  report(state, batch, kEncodeMacs);
}
BENCHMARK(BM_DeviceEncode)->Arg(32)->Arg(256)->UseRealTime();

void BM_DeviceTrainStep(benchmark::State& state) {
  const int64_t batch = state.range(0);
  const auto device = make_cpu_device(0);
  device->set_parameters(initial_parameters(1));
  const std::vector<uint8_t> images = some_images(batch);
  for (auto _ : state) benchmark::DoNotOptimize(device->train_step(images, {}));
  report(state, batch, kTrainMacs);
}
BENCHMARK(BM_DeviceTrainStep)->Arg(32)->UseRealTime();

}  // namespace
}  // namespace lookalike
#endif
