// The filter of the exact search: which rows might be among a query's nearest. It never leaves out a row
// whose distance is at most the query's limit; what it keeps is measured exactly afterwards
// (nearest_select.h).
//
// Each vector v stands as v^, in float (v itself) or in fp16: v^ = fp16(s (v - m)) with s a power of two and
// m any vector, both the same for queries and rows. With e(v) >= |s (v - m) - v^|, the triangle inequality
// gives s |q - r| >= |q^ - r^| - e(q) - e(r). The kernel computes A, the dot product of q^ and r^, with
//   |A - q^.r^| <= g |q^| |r^| <= g (|q^|^2 + |r^|^2) / 2.
// A row is left out only where A - c(r) < k(q), with
//   c(r) = (1 - g) |r^|^2 / 2,   k(q) = ((1 - g) |q^|^2 - (s t + e(q) + E)^2) / 2,
// t the square root of the query's limit and E the largest e(r) of 128 rows. Then |q^ - r^|^2 >
// (s t + e(q) + E)^2, so |q - r| > t. Roundings go the safe way; numbers that are not finite keep the row.
//
// g: each of the products' `dimension` additions rounds by at most 2^-24 of the sum of magnitudes in float
// (fused), by 2^-23 in tensor cores (PTX promises "at least single precision", order not said); 16 more cover
// A - c and the sums of squares.
#pragma once

#include <cstdint>

#include "kernels/cuda/nearest_choice.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

inline constexpr int kFilterTile = 128;  // queries and rows of a block
inline constexpr int kFilterAlign = 16;  // numbers: vectors are padded with zeros to a multiple

struct FilterSide {
  const void* vectors = nullptr;        // (count, pitch), float or fp16
  const float* half_lengths = nullptr;  // (count), c
  const float* residuals = nullptr;     // (count), e; null: all 0
  const double* lengths = nullptr;      // (count), |v^|^2
  std::int64_t count = 0;
};

struct FilterTask {
  FilterSide queries, rows;
  const double* limits = nullptr;  // (Q), squared distances; infinite: every row is kept
  RowChoice choice;
  const float* scale = nullptr;  // s; null: 1
  std::int64_t pitch = 0;
  double error = 0;                    // g
  std::uint32_t* counts = nullptr;     // (Q), added to; may pass `capacity`, which says that rows were lost
  std::int32_t* candidates = nullptr;  // (Q, capacity), row numbers, in no order
  std::int64_t capacity = 0;
};

// Queries and rows any number below 2^23. The set of candidates is the same on every run, their order is not.
// Bound by arithmetic: 2 Q M pitch operations, 128 rows and queries loaded once for 128 x 128 pairs.
void filter_float(const FilterTask& task, gpu::Stream stream);
void filter_half(const FilterTask& task, gpu::Stream stream);

double filter_error_float(std::int64_t pitch);
double filter_error_half(std::int64_t pitch);

}  // namespace lookalike::cuda
