// Search by sketches with sizes and values out of arbitrary bytes, against a brute force.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/sketch_search.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/reference/distance.h"

namespace lookalike::test {

class FuzzBytes {
 public:
  explicit FuzzBytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  // Zeros when they have run out.
  uint8_t byte() { return at_ < bytes_.size() ? bytes_[at_++] : 0; }
  int64_t below(int64_t end) { return (byte() * 256 + byte()) % end; }

  // Any finite float, but mostly those that come close to one another.
  float number() {
    constexpr std::array<float, 8> kScales = {0, 1e-42F, 1e-20F, 1e-6F, 1, 1, 1e5F, 1e30F};
    const uint8_t kind = byte();
    const float small = static_cast<float>(static_cast<int8_t>(byte())) * kScales[kind % 8];
    if (kind < 200) return small;
    if (kind < 250) return 10 + small * 1e-6F;
    std::array<uint8_t, 4> raw{byte(), byte(), byte(), byte()};
    float value;
    std::memcpy(&value, raw.data(), sizeof value);
    return std::isfinite(value) ? value : 0.0F;
  }

 private:
  std::span<const uint8_t> bytes_;
  std::size_t at_ = 0;
};

// Whether the search finds what looking at every row does.
inline bool sketch_search_is_exact(std::span<const uint8_t> input) {
  FuzzBytes bytes(input);
  const int64_t d = 1 + bytes.below(20), components = 1 + bytes.below(d);
  const int64_t rows = bytes.below(bytes.byte() < 40 ? 2500 : 150), count = 1 + bytes.below(30);
  const int64_t k = 1 + bytes.below(bytes.byte() < 200 ? 12 : rows + 2);
  const int64_t byte_numbers = 1 + bytes.below(components + 1);
  const int threads = 1 + static_cast<int>(bytes.below(3));
  SketchProjection projection;
  projection.dimension = d;
  for (int64_t i = 0; i < d; ++i) projection.mean.push_back(bytes.byte() < 128 ? 0.0F : bytes.number());
  for (int64_t i = 0; i < d * components; ++i) {
    const auto direction = static_cast<float>(static_cast<int8_t>(bytes.byte())) / 128;
    projection.directions.push_back(bytes.byte() < 250 && i / d == i % d ? 1.0F : direction / 64);
  }
  // Few numbers make many rows: with repetitions, some of them changed a little.
  std::vector<float> pattern(static_cast<std::size_t>(d * (1 + bytes.below(40))));
  for (float& value : pattern) value = bytes.number();
  std::vector<float> all(static_cast<std::size_t>((rows + count) * d));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = pattern[i % pattern.size()];
    if (i % 5 == 0) all[i] = std::nextafter(all[i], static_cast<float>(i % 3) - 1);
  }
  std::vector<uint8_t> allowed;
  if (bytes.byte() < 60) {
    for (int64_t r = 0; r < rows; ++r) allowed.push_back(static_cast<uint8_t>(r % 3));
  }
  const auto split = static_cast<std::size_t>(rows * d);
  const std::vector<float> codes(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(split));
  MemoryCatalog catalog(codes, projection, byte_numbers);
  if (bytes.byte() < 100) {
    const std::vector<float> centre(static_cast<std::size_t>(byte_numbers), bytes.number());
    catalog.use(ByteSketcher(centre, std::max(1e-30, std::abs(static_cast<double>(bytes.number())))));
  }
  if (bytes.byte() < 100) {
    std::vector<float> centre(static_cast<std::size_t>(components + 1)), step(centre.size());
    for (float& value : centre) value = bytes.number();
    for (float& value : step) value = std::min(0x1p120F, std::abs(bytes.number()));
    catalog.use(FineSketcher(centre, step));
  }
  const auto queries = std::span<const float>(all).subspan(split);
  std::vector<int32_t> row_groups, query_groups;
  if (bytes.byte() < 60) {
    for (int64_t r = 0; r < rows; ++r) row_groups.push_back(static_cast<int32_t>(r % 5 - 1));
    for (int64_t q = 0; q < count; ++q) query_groups.push_back(static_cast<int32_t>(q % 5 - 1));
  }
  SketchSearchOptions options;
  options.allowed = allowed;
  options.groups = {row_groups, query_groups};
  TopK best(count, k);
  ThreadPool pool(threads);
  nearest_by_sketch(catalog.view(), queries, options, best, pool);
  for (int64_t q = 0; q < count; ++q) {
    const auto query = queries.subspan(static_cast<std::size_t>(q * d), static_cast<std::size_t>(d));
    std::vector<uint8_t> mine = allowed;
    if (!row_groups.empty()) {
      mine.resize(row_groups.size(), 1);
      for (int64_t r = 0; r < rows; ++r) {
        if (q % 5 > 0 && r % 5 == q % 5) mine[static_cast<std::size_t>(r)] = 0;
      }
    }
    if (best.take(q) != reference::nearest(query, codes, k, mine)) return false;
  }
  return true;
}

}  // namespace lookalike::test
