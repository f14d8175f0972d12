#include "kernels/cpu/dot_products.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dot_products.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

// 12 sums, 3 queries and 1 row in 16 registers: 7 loads for 12 multiply-adds.
constexpr int64_t kTileQueries = 3;
constexpr int64_t kTileRows = 4;

HWY_INLINE void Step(const float* const* queries, const float* const* rows, int64_t i,
                     hn::Vec<Floats> (&sums)[kTileQueries][kTileRows]) {
  const Floats d;
  hn::Vec<Floats> q[kTileQueries];
  for (int64_t a = 0; a < kTileQueries; ++a) q[a] = hn::LoadU(d, queries[a] + i);
  for (int64_t b = 0; b < kTileRows; ++b) {
    const auto r = hn::LoadU(d, rows[b] + i);
    for (int64_t a = 0; a < kTileQueries; ++a) sums[a][b] = hn::MulAdd(q[a], r, sums[a][b]);
  }
}

// The last n < kLanes elements, from `first` on, padded with zeros.
void Tail(const float* const* queries, const float* const* rows, int64_t first, int64_t n,
          hn::Vec<Floats> (&sums)[kTileQueries][kTileRows]) {
  float padded[kTileQueries + kTileRows][kLanes] = {};
  const float* q[kTileQueries];
  const float* r[kTileRows];
  for (int64_t a = 0; a < kTileQueries; ++a) {
    std::copy_n(queries[a] + first, n, padded[a]);
    q[a] = padded[a];
  }
  for (int64_t b = 0; b < kTileRows; ++b) {
    std::copy_n(rows[b] + first, n, padded[kTileQueries + b]);
    r[b] = padded[kTileQueries + b];
  }
  Step(q, r, 0, sums);
}

void Dots(const float* queries, int64_t query_count, const float* rows, int64_t row_count, int64_t dimension,
          float* dots) {
  const int64_t whole = dimension - dimension % kLanes;
  for (int64_t r0 = 0; r0 < row_count; r0 += kTileRows) {
    for (int64_t q0 = 0; q0 < query_count; q0 += kTileQueries) {
      // At the edges the last query or row is taken again instead of one that is not there.
      const float* q[kTileQueries];
      const float* r[kTileRows];
      for (int64_t a = 0; a < kTileQueries; ++a)
        q[a] = queries + std::min(q0 + a, query_count - 1) * dimension;
      for (int64_t b = 0; b < kTileRows; ++b) r[b] = rows + std::min(r0 + b, row_count - 1) * dimension;

      hn::Vec<Floats> sums[kTileQueries][kTileRows] = {};
      for (int64_t i = 0; i < whole; i += kLanes) Step(q, r, i, sums);
      if (whole < dimension) Tail(q, r, whole, dimension - whole, sums);

      for (int64_t a = 0; a < std::min(kTileQueries, query_count - q0); ++a) {
        for (int64_t b = 0; b < std::min(kTileRows, row_count - r0); ++b) {
          dots[(q0 + a) * row_count + r0 + b] = hn::GetLane(hn::SumOfLanes(Floats(), sums[a][b]));
        }
      }
    }
  }
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(Dots);

void dot_products(const float* queries, int64_t query_count, const float* rows, int64_t row_count,
                  int64_t dimension, float* dots) {
  HWY_DYNAMIC_DISPATCH(Dots)(queries, query_count, rows, row_count, dimension, dots);
}

double dot_product_error(int64_t dimension, double lengths) {
  // Any order of summation has at most `dimension` roundings on the way of a product, each of 2^-24, and they
  // are of sums that Cauchy and Schwarz hold under `lengths`. 1.01 covers their higher powers up to 80,000
  // elements. A product below the normal range loses at most 2^-126, even where such are flushed to zero.
  if (!(lengths < 1e38)) return std::numeric_limits<double>::infinity();
  const double n = static_cast<double>(dimension + 1);
  return 1.01 * n * 0x1p-24 * lengths + 2 * n * 0x1p-126;
}

}  // namespace lookalike::cpu
#endif
