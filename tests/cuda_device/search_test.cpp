// The same neighbours, byte for byte, as the CPU engine's.
#include "engine/search.h"

#include "engine/sketch_search.h"
#include "tests/cuda/device_test.h"
#include "tests/cuda_device/device_under_test.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

using CudaSearch = DeviceTest;

// Codes with many exact copies: ties are decided by the row.
TEST_F(CudaSearch, GivesTheCpusBytes) {
  constexpr std::int64_t kRows = 90, kQueries = 12;
  std::vector<float> rows = random_floats(kRows * kCodeLength, 0.0, 2.0, 5);
  for (std::int64_t r = 30; r < kRows; r += 4)
    std::copy_n(rows.begin() + (r % 30) * kCodeLength, kCodeLength, rows.begin() + r * kCodeLength);
  const CodeSource catalog{
      kRows, [&](const auto& visit) {
        for (std::int64_t first = 0; first < kRows; first += 40)
          visit(first, std::span(rows).subspan(static_cast<std::size_t>(first * kCodeLength),
                                               static_cast<std::size_t>(
                                                   std::min<std::int64_t>(40, kRows - first) * kCodeLength)));
      }};
  const auto cuda = small_cuda_device();
  const auto cpu = make_cpu_device(2);
  for (const std::int64_t queries : {std::int64_t{1}, kQueries})
    for (const std::int64_t k : {1, 7, 200}) {
      SearchQueries asked;
      asked.codes = std::span(rows).first(static_cast<std::size_t>(queries * kCodeLength));
      for (std::int64_t q = 0; q < queries; ++q) asked.self_rows.push_back(q);
      EXPECT_EQ(search(*cuda, asked, catalog, k), search(*cpu, asked, catalog, k)) << queries << ", " << k;
      std::vector<std::int32_t> groups(kRows);
      for (std::size_t r = 0; r < groups.size(); ++r) groups[r] = static_cast<std::int32_t>(r % 30 / 10);
      SearchLimits limits;
      limits.k = k;
      limits.groups = {groups, std::span(groups).first(static_cast<std::size_t>(queries))};
      EXPECT_EQ(search(*cuda, asked, catalog, limits), search(*cpu, asked, catalog, limits));
    }
}

// What looks at every row on a device, and what passes most of them over on the CPU.
TEST_F(CudaSearch, GivesTheBytesOfASearchBySketches) {
  constexpr std::int64_t kRows = 100, kQueries = 8, kNeighbours = 9;
  std::vector<float> rows = random_floats(kRows * kCodeLength, 0.0, 2.0, 6);
  for (std::int64_t r = 40; r < kRows; r += 3)
    std::copy_n(rows.begin() + (r % 40) * kCodeLength, kCodeLength, rows.begin() + r * kCodeLength);
  ThreadPool pool(2);
  const MemoryCatalog catalog(rows, fit_projection(rows, kCodeLength, 15, pool), 8);
  SearchBlock block;
  block.queries = std::span(rows).first(static_cast<std::size_t>(kQueries * kCodeLength));
  block.rows = rows;
  TopK by_device(kQueries, kNeighbours), by_sketch(kQueries, kNeighbours);
  small_cuda_device()->nearest(block, by_device);
  nearest_by_sketch(catalog.view(), block.queries, {}, by_sketch, pool);
  for (std::int64_t q = 0; q < kQueries; ++q) EXPECT_EQ(by_device.take(q), by_sketch.take(q)) << q;
}

}  // namespace
}  // namespace lookalike::test
