// Google Benchmark over CUDA events. An iteration is what the device took for `repeats` launches, divided.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "kernels/cuda/runtime.h"

namespace lookalike {

class Clock {
 public:
  Clock() : from_(gpu::make_event()), to_(gpu::make_event()) {}
  ~Clock() {
    gpu::release_event(from_);
    gpu::release_event(to_);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  double seconds(const std::function<void()>& work, int repeats) const {
    gpu::record(from_, nullptr);
    for (int i = 0; i < repeats; ++i) work();
    gpu::record(to_, nullptr);
    return gpu::milliseconds(from_, to_) / 1e3 / repeats;
  }

 private:
  gpu::Event from_, to_;
};

// bytes: read and written by one launch. Working sets below 100 MB stay in the second-level cache of an H100.
inline void time_on_device(benchmark::State& state, double bytes, double flops,
                           const std::function<void()>& work, int repeats = 8) {
  const Clock clock;
  work();
  for (auto _ : state) state.SetIterationTime(clock.seconds(work, repeats));
  state.counters["bytes/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
  if (flops > 0)
    state.counters["flop/s"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(gpu::properties().name + (bytes < 1e8 ? ", hot cache" : ", larger than the cache"));
}

// False, and the benchmark is skipped, where there is no device.
inline bool has_device(benchmark::State& state) {
  std::string reason = "no CUDA device";
  if (gpu::available(&reason)) return true;
  state.SkipWithError(reason.c_str());
  return false;
}

}  // namespace lookalike
