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

template <class T>
using Numbers = hn::ScalableTag<T>;
template <class T>
using VecOf = hn::Vec<Numbers<T>>;
template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Numbers<T>()));

// 12 sums, 3 queries and 1 row in 16 registers: 7 loads for 12 multiply-adds.
constexpr int64_t kTileQueries = 3;
constexpr int64_t kTileRows = 4;

// Elements of a tile's seven vectors that are taken at once: they stay in the first-level cache.
template <class T>
constexpr int64_t kPiece = 4096 / static_cast<int64_t>(sizeof(T));

template <class T>
HWY_INLINE void Step(const T* const* queries, const T* const* rows, int64_t i,
                     VecOf<T> (&sums)[kTileQueries][kTileRows]) {
  const Numbers<T> d;
  VecOf<T> q[kTileQueries];
  for (int64_t a = 0; a < kTileQueries; ++a) q[a] = hn::LoadU(d, queries[a] + i);
  for (int64_t b = 0; b < kTileRows; ++b) {
    const auto r = hn::LoadU(d, rows[b] + i);
    for (int64_t a = 0; a < kTileQueries; ++a) sums[a][b] = hn::MulAdd(q[a], r, sums[a][b]);
  }
}

// The last n < kLanes elements, from `first` on, padded with zeros.
template <class T>
void Tail(const T* const* queries, const T* const* rows, int64_t first, int64_t n,
          VecOf<T> (&sums)[kTileQueries][kTileRows]) {
  T padded[kTileQueries + kTileRows][kLanes<T>] = {};
  const T* q[kTileQueries];
  const T* r[kTileRows];
  for (int64_t a = 0; a < kTileQueries; ++a) {
    std::copy_n(queries[a] + first, n, padded[a]);
    q[a] = padded[a];
  }
  for (int64_t b = 0; b < kTileRows; ++b) {
    std::copy_n(rows[b] + first, n, padded[kTileQueries + b]);
    r[b] = padded[kTileQueries + b];
  }
  Step<T>(q, r, 0, sums);
}

// Adds the sums over elements first .. first + n - 1 to dots, or puts them there.
template <class T>
HWY_INLINE void Piece(const T* queries, int64_t query_count, const T* rows, int64_t row_count,
                      int64_t dimension, int64_t first, int64_t n, T* dots) {
  const int64_t whole = n - n % kLanes<T>;
  for (int64_t r0 = 0; r0 < row_count; r0 += kTileRows) {
    for (int64_t q0 = 0; q0 < query_count; q0 += kTileQueries) {
      // At the edges the last query or row is taken again instead of one that is not there.
      const T* q[kTileQueries];
      const T* r[kTileRows];
      for (int64_t a = 0; a < kTileQueries; ++a)
        q[a] = queries + std::min(q0 + a, query_count - 1) * dimension + first;
      for (int64_t b = 0; b < kTileRows; ++b)
        r[b] = rows + std::min(r0 + b, row_count - 1) * dimension + first;

      VecOf<T> sums[kTileQueries][kTileRows];
      for (auto& of_query : sums)
        for (auto& sum : of_query) sum = hn::Zero(Numbers<T>());
      for (int64_t i = 0; i < whole; i += kLanes<T>) Step<T>(q, r, i, sums);
      if (whole < n) Tail<T>(q, r, whole, n - whole, sums);

      for (int64_t a = 0; a < std::min(kTileQueries, query_count - q0); ++a) {
        for (int64_t b = 0; b < std::min(kTileRows, row_count - r0); ++b) {
          T& dot = dots[(q0 + a) * row_count + r0 + b];
          const T sum = hn::GetLane(hn::SumOfLanes(Numbers<T>(), sums[a][b]));
          dot = first == 0 ? sum : dot + sum;
        }
      }
    }
  }
}

template <class T>
HWY_INLINE void Dots(const T* queries, int64_t query_count, const T* rows, int64_t row_count,
                     int64_t dimension, T* dots) {
  for (int64_t first = 0; first == 0 || first < dimension; first += kPiece<T>) {
    Piece<T>(queries, query_count, rows, row_count, dimension, first, std::min(kPiece<T>, dimension - first),
             dots);
  }
}

void DotsOfFloats(const float* queries, int64_t query_count, const float* rows, int64_t row_count,
                  int64_t dimension, float* dots) {
  Dots<float>(queries, query_count, rows, row_count, dimension, dots);
}

void DotsOfDoubles(const double* queries, int64_t query_count, const double* rows, int64_t row_count,
                   int64_t dimension, double* dots) {
  Dots<double>(queries, query_count, rows, row_count, dimension, dots);
}

// Most roundings on a product's way into its sum: its own, a lane's additions in a piece and its tail, those
// of the lanes in any order, and of the pieces.
int64_t RoundingsOfFloats(int64_t dimension) {
  const int64_t in_lane = (std::min(dimension, kPiece<float>) + kLanes<float> - 1) / kLanes<float>;
  const int64_t pieces = (dimension + kPiece<float> - 1) / kPiece<float>;
  return 1 + in_lane + kLanes<float> + pieces;
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(DotsOfFloats);
HWY_EXPORT(DotsOfDoubles);
HWY_EXPORT(RoundingsOfFloats);

void dot_products(const float* queries, int64_t query_count, const float* rows, int64_t row_count,
                  int64_t dimension, float* dots) {
  HWY_DYNAMIC_DISPATCH(DotsOfFloats)(queries, query_count, rows, row_count, dimension, dots);
}

void dot_products(const double* queries, int64_t query_count, const double* rows, int64_t row_count,
                  int64_t dimension, double* dots) {
  HWY_DYNAMIC_DISPATCH(DotsOfDoubles)(queries, query_count, rows, row_count, dimension, dots);
}

double dot_product_error(int64_t dimension, double lengths) {
  // Each rounding is by 2^-24 of a sum of absolute products at most, which Cauchy and Schwarz hold under
  // `lengths`. 1.01 covers their higher powers. A product below the normal range loses at most 2^-126, even
  // where such are flushed to zero.
  if (!(lengths < 1e38)) return std::numeric_limits<double>::infinity();
  const auto roundings = static_cast<double>(HWY_DYNAMIC_DISPATCH(RoundingsOfFloats)(dimension));
  return 1.01 * roundings * 0x1p-24 * lengths + 2 * static_cast<double>(dimension + 1) * 0x1p-126;
}

}  // namespace lookalike::cpu
#endif
