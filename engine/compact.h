// Compact codes: a catalog's codes centred, along their principal directions, whitened, and of unit length.
//
//   y = P^T (c - mean),  z_j = y_j / deviation_j,  compact(c) = z / |z|                 m numbers
//
// A component whose deviation is less than a millionth (2^-20) of the largest is left zero: what floats leak
// into it is as much. A code that is the mean, or has nothing along the directions, has no direction of its
// own: all of its numbers are zero, so it is 1 from every other code and 0 from its like. Euclidean distances
// of compact codes order as cosines do: |a - b|^2 = 2 - 2 a.b.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/search.h"
#include "engine/thread_pool.h"

namespace lookalike {

// A double as a file of floats keeps it, to 48 bits.
struct TwoFloats {
  float high = 0, low = 0;

  TwoFloats(float a, float b) : high(a), low(b) {}
  explicit TwoFloats(double value)
      : high(static_cast<float>(value)), low(static_cast<float>(value - static_cast<double>(high))) {}
  double sum() const { return static_cast<double>(high) + static_cast<double>(low); }
};

struct CompactProjection {
  int64_t dimension = 0;          // D
  std::vector<double> mean;       // (D), each the sum of two floats, as a file keeps it
  std::vector<float> directions;  // (m, D), orthonormal up to rounding
  std::vector<float> deviations;  // (m); 0: the component is left zero

  int64_t components() const { return static_cast<int64_t>(deviations.size()); }  // m
};

// Mean and deviations of all codes (rows, D) along the leading principal directions of an even sample of
// them; 1 <= components <= D, rows >= 1. Three passes. The same bytes for any number of threads and any
// blocks, on one instruction set. Memory: some 400 MB at most of sample and what it is turned to, the
// directions in double, and a block. `step` is called before each part of the work on the sample, as by
// fit_projection; what it throws ends the work.
CompactProjection fit_compact(
    const CodeSource& codes, int64_t dimension, int64_t components, ThreadPool& pool,
    const std::function<void()>& step = [] {});

class Compactor {
 public:
  // Throws std::invalid_argument for shapes that do not fit or numbers that are not finite.
  explicit Compactor(CompactProjection projection);

  const CompactProjection& projection() const { return projection_; }

  // codes (n, D), finite -> out (n, m), overwritten. Computed in double, stored as float. Last bits differ
  // between instruction sets, not with threads or n.
  void compact(std::span<const float> codes, ThreadPool& pool, std::span<float> out) const;

  // As compact without whitening and length: along (n, m) = y, overwritten.
  void project(std::span<const float> codes, ThreadPool& pool, std::span<double> along) const;

 private:
  CompactProjection projection_;
  std::vector<double> directions_;  // (m, D)
};

}  // namespace lookalike
