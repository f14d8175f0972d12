#include "kernels/cpu/sketch_scan.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sketch_scan.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

// 24 sums, 4 vectors of rows and 1 query in 32 registers; 12, 2 and 1 in 16.
constexpr int kTileQueries = 6;
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;
constexpr int64_t kTileRows = kTileVectors * kLanes;
static_assert(kSketchGroup % kTileRows == 0);

// kQueries queries from `queries` on against kTileRows rows of the group.
template <int kQueries>
HWY_INLINE void Scores(const float* HWY_RESTRICT queries, int64_t n, const float* HWY_RESTRICT group,
                       const float* HWY_RESTRICT half, hn::Vec<Floats> (&sums)[kQueries][kTileVectors]) {
  const Floats d;
  for (int v = 0; v < kTileVectors; ++v) {
    const auto start = hn::LoadU(d, half + v * kLanes);
    for (int q = 0; q < kQueries; ++q) sums[q][v] = start;
  }
  for (int64_t i = 0; i < n; ++i) {
    hn::Vec<Floats> rows[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) rows[v] = hn::LoadU(d, group + i * kSketchGroup + v * kLanes);
    for (int q = 0; q < kQueries; ++q) {
      const auto number = hn::Set(d, queries[q * n + i]);
      for (int v = 0; v < kTileVectors; ++v) sums[q][v] = hn::MulAdd(number, rows[v], sums[q][v]);
    }
  }
}

template <int kQueries>
SketchHit* ScanTile(const float* HWY_RESTRICT queries, int64_t first_query, int64_t n,
                    const float* HWY_RESTRICT group, const float* HWY_RESTRICT half,
                    const float* HWY_RESTRICT least, SketchHit* HWY_RESTRICT hits) {
  const Floats d;
  for (int64_t row = 0; row < kSketchGroup; row += kTileRows) {
    hn::Vec<Floats> sums[kQueries][kTileVectors];
    Scores<kQueries>(queries + first_query * n, n, group + row, half + row, sums);
    for (int q = 0; q < kQueries; ++q) {
      const float lowest = least[first_query + q];
      const auto low = hn::Set(d, lowest);
      auto below = hn::Lt(sums[q][0], low);
      for (int v = 1; v < kTileVectors; ++v) below = hn::And(below, hn::Lt(sums[q][v], low));
      if (hn::AllTrue(d, below)) continue;
      float scores[kTileRows];
      for (int v = 0; v < kTileVectors; ++v) hn::StoreU(sums[q][v], d, scores + v * kLanes);
      for (int64_t r = 0; r < kTileRows; ++r) {
        if (scores[r] < lowest) continue;
        *hits++ = {scores[r], static_cast<int32_t>(first_query + q), static_cast<int32_t>(row + r)};
      }
    }
  }
  return hits;
}

int64_t Scan(const float* queries, int64_t query_count, int64_t n, const float* group, const float* half,
             const float* least, SketchHit* hits) {
  SketchHit* end = hits;
  int64_t q = 0;
  for (; q + kTileQueries <= query_count; q += kTileQueries) {
    end = ScanTile<kTileQueries>(queries, q, n, group, half, least, end);
  }
  switch (query_count - q) {
    case 5:
      return ScanTile<5>(queries, q, n, group, half, least, end) - hits;
    case 4:
      return ScanTile<4>(queries, q, n, group, half, least, end) - hits;
    case 3:
      return ScanTile<3>(queries, q, n, group, half, least, end) - hits;
    case 2:
      return ScanTile<2>(queries, q, n, group, half, least, end) - hits;
    case 1:
      return ScanTile<1>(queries, q, n, group, half, least, end) - hits;
    default:
      return end - hits;
  }
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(Scan);

int64_t scan_sketches(const float* queries, int64_t query_count, int64_t n, const float* group,
                      const float* half, const float* least, SketchHit* hits) {
  return HWY_DYNAMIC_DISPATCH(Scan)(queries, query_count, n, group, half, least, hits);
}

double sketch_score_error(int64_t n, double query, double row) {
  // A product passes at most n + 1 roundings of 2^-24, half one more for its own; the sums on the way stay
  // under row^2 / 2 + query row, by Cauchy and Schwarz. 1.01 covers higher powers up to 80,000 numbers. A
  // product below the normal range loses at most 2^-126, even where such are flushed to zero.
  const double size = row * row / 2 + query * row;
  if (!(size < 1e38)) return std::numeric_limits<double>::infinity();
  const auto steps = static_cast<double>(n + 2);
  return 1.01 * steps * 0x1p-24 * size + 2 * steps * 0x1p-126;
}

}  // namespace lookalike::cpu
#endif
