// Exact search: one distance, one query against rows in memory, every item of a catalog against all others.
//
// bytes/s counts each row's 11,552 bytes once for each query that is compared with it: what would be read
// without a cache. Rows of random codes are the hardest case: all distances are nearly equal.
#include <benchmark/benchmark.h>

#include <random>
#include <thread>

#include "engine/nearest.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"
#include "kernels/cpu/sketch_distance.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

// Codes of `kinds` kinds of product: what a network gives is grouped like this.
std::vector<float> rows(int64_t count, int64_t kinds) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> centres(static_cast<std::size_t>(kinds * kCodeLength));
  for (float& value : centres) value = normal(generator);
  std::vector<float> codes(static_cast<std::size_t>(count * kCodeLength));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = std::max(0.0F, centres[i % centres.size()] + 0.5F * normal(generator));
  }
  return codes;
}

int all_cores() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

void report(benchmark::State& state, int64_t pairs) {
  state.counters["rows/s"] =
      benchmark::Counter(static_cast<double>(pairs), benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * pairs * kCodeLength * static_cast<int64_t>(sizeof(float)));
}

void distance(benchmark::State& state) {
  const auto codes = rows(2, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cpu::squared_distance(codes.data(), codes.data() + kCodeLength, kCodeLength));
  }
  report(state, 1);
}
BENCHMARK(distance);

void dots_24x24(benchmark::State& state) {
  const auto codes = rows(48, 4);
  std::vector<float> dots(24 * 24);
  for (auto _ : state) {
    cpu::dot_products(codes.data(), 24, codes.data() + 24 * kCodeLength, 24, kCodeLength, dots.data());
    benchmark::DoNotOptimize(dots.data());
  }
  report(state, 24 * 24);
}
BENCHMARK(dots_24x24);

// Arguments: queries, bytes of a sketch. Rows of noise, none of which is a hit; bytes/s counts each row's
// sketch once for each query.
void sketch_scan(benchmark::State& state) {
  constexpr int64_t kGroups = 256;
  const int64_t query_count = state.range(0), n = state.range(1);
  const int64_t group_bytes = n * cpu::kSketchGroup;
  std::mt19937 generator(1);
  std::vector<int8_t> queries(static_cast<std::size_t>(query_count * n));
  for (int8_t& value : queries) value = static_cast<int8_t>(generator());
  std::vector<uint8_t> groups(static_cast<std::size_t>(kGroups * group_bytes));
  for (uint8_t& value : groups) value = static_cast<uint8_t>(generator());
  const std::vector<int32_t> half(std::size_t{cpu::kSketchGroup}, 0);
  const std::vector<int32_t> least(static_cast<std::size_t>(query_count), 1 << 30);
  std::vector<cpu::SketchHit> hits(static_cast<std::size_t>(query_count * cpu::kSketchGroup));
  for (auto _ : state) {
    for (int64_t g = 0; g < kGroups; ++g) {
      benchmark::DoNotOptimize(cpu::scan_sketches(queries.data(), query_count, n,
                                                  groups.data() + g * group_bytes, half.data(), least.data(),
                                                  hits.data()));
    }
  }
  const int64_t pairs = query_count * kGroups * cpu::kSketchGroup;
  state.counters["rows/s"] =
      benchmark::Counter(static_cast<double>(pairs), benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * pairs * n);
}
BENCHMARK(sketch_scan)
    ->Args({1, 64})
    ->Args({32, 64})
    ->Args({1, 256})
    ->Args({32, 256})
    ->Args({512, 128})
    ->Args({1, 128});

// Argument: numbers of a fine sketch.
void sketch_distance(benchmark::State& state) {
  const auto values = rows(2, 1);
  const int64_t n = state.range(0);
  const std::vector<int8_t> row(static_cast<std::size_t>(n), 5);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cpu::sketch_distance(values.data(), values.data() + kCodeLength, row.data(), n));
  }
  state.SetBytesProcessed(state.iterations() * n);
}
BENCHMARK(sketch_distance)->Arg(64)->Arg(384);

// Arguments: queries, rows.
void nearest_10(benchmark::State& state) {
  const int64_t queries = state.range(0), count = state.range(1);
  const auto codes = rows(count, 10);
  SearchBlock block;
  block.queries = std::span(codes).first(static_cast<std::size_t>(queries * kCodeLength));
  block.rows = codes;
  ThreadPool pool(all_cores());
  for (auto _ : state) {
    TopK best(queries, 10);
    nearest_on_cpu(block, best, pool);
    benchmark::DoNotOptimize(best.list(0));
  }
  report(state, queries * count);
}
BENCHMARK(nearest_10)
    ->Args({1, 3409})
    ->Args({8, 3409})
    ->Args({3409, 3409})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lookalike
