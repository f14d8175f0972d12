// Sketches: short vectors whose distances are lower bounds of the distances of codes.
//
//   s(b) = [ P^T (b - mean) ; |(b - mean) - P P^T (b - mean)| ]          m + 1 numbers
//   |s(q) - s(b)| <= stretch |q - b|
// for any D x m matrix P and any mean: tests/reference/sketch.h has the proof. The leading principal
// directions make the bound tight.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "engine/thread_pool.h"

namespace lookalike {

// Of codes that sketches are made of: up to here the slack that the search and Sketcher allow for their own
// arithmetic covers D roundings of 2^-53 many times over.
inline constexpr int64_t kMostSketchedDimension = 1 << 15;

struct SketchProjection {
  int64_t dimension = 0;          // D
  std::vector<float> mean;        // (D)
  std::vector<float> directions;  // (m, D), row j the j-th column of P

  int64_t components() const { return static_cast<int64_t>(directions.size()) / dimension; }  // m
};

// The `components` leading principal directions of sample (S, D), by subspace iteration; after the rank of
// the sample, any that are orthonormal. components <= D. The same bytes for any number of threads on one
// instruction set. The sample has to be finite. `step` is called before each iteration; what it throws ends
// the work.
SketchProjection fit_projection(
    std::span<const float> sample, int64_t dimension, int64_t components, ThreadPool& pool,
    const std::function<void()>& step = [] {});

class Sketcher {
 public:
  // Throws std::invalid_argument for shapes that do not fit, D above kMostSketchedDimension or numbers that
  // are not finite.
  explicit Sketcher(SketchProjection projection);

  const SketchProjection& projection() const& { return projection_; }
  SketchProjection projection() && { return std::move(projection_); }
  int64_t size() const { return projection_.components() + 1; }  // numbers of a sketch
  double stretch() const { return stretch_; }                    // sqrt(1 + d (1 + d)), rounded up

  // codes (n, D) -> sketches (n, size) and errors (n), both overwritten. errors[i] >= |stored - s(codes[i])|
  // whatever rounding did; infinite, and the sketch zero, for a code that is too large for a float's sketch
  // or not finite. Last bits differ between instruction sets, not with threads or n.
  void sketch(std::span<const float> codes, ThreadPool& pool, std::span<float> sketches,
              std::span<double> errors) const;

  // The same in float, at half the time and with larger errors, which for a query concern itself alone. Few
  // codes are shared out among threads by directions.
  void sketch_fast(std::span<const float> codes, ThreadPool& pool, std::span<float> sketches,
                   std::span<double> errors) const;

 private:
  struct Scratch;
  void sketch_some(const float* codes, int64_t count, const std::vector<double>& directions, float* sketches,
                   double* errors, Scratch& scratch) const;
  double finish_fast(const float* code, std::span<float> sketch) const;

  SketchProjection projection_;
  double stretch_ = 1, spread_ = 1;  // spread: 1 + d
  std::vector<double> defect_;       // P^T P - I (m, m)
};

}  // namespace lookalike
