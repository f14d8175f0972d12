// What rules a row out of a search before its exact distance is measured: dot products in float32, taken tile
// by tile, and bounds on their error.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/thread_pool.h"

namespace lookalike {

// Two tiles of 24 codes are 550 kB: one stays in the second-level cache while others pass.
inline constexpr int64_t kTileRows = 24;

// Sums of squares in double, in eight accumulators, are within 2^-40 of the exact ones up to this dimension;
// kDoubleError leaves room for the handful of operations that follow.
inline constexpr int64_t kFilterDimension = 1 << 15;
inline constexpr double kDoubleError = 0x1p-38;

struct RowRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

// Which rows of `total` the piece `index` of `size` rows has.
inline RowRange piece(int64_t index, int64_t size, int64_t total) {
  return {index * size, std::min(total, (index + 1) * size)};
}

// (count) of vectors (count, dimension), in double.
std::vector<double> squared_lengths(std::span<const float> vectors, int64_t dimension, ThreadPool& pool);

// Most by which the dot product of two vectors can be off whose squared lengths add up to `lengths` or less.
double dot_error(int64_t dimension, double lengths);

// |q - r|^2 = |q|^2 + |r|^2 - 2 q.r, less all that rounding can have added, is more than `most`.
// lengths: |q|^2 + |r|^2. False where a number is infinite on the way or none.
inline bool surely_above(double most, double lengths, float dot, double error) {
  const double lower = lengths * (1 - kDoubleError) - 2 * static_cast<double>(dot) - 2 * error;
  return lower > most * (1 + kDoubleError);
}

}  // namespace lookalike
