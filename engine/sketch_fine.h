// Fine sketches: all of a sketch's numbers in 8 bits, for the few rows that the scan lets through.
//
// Each number of a sketch s is held within centre_i +- 127 step_i, which brings no two points farther from
// one another, and a row's is rounded; a query's stays as it is:
//   f_i(s) = clip(s_i - centre_i),   b_i = round(f_i / step_i),   |f(s) - f(s')| <= |s - s'|
// so |f(query) - step b| is at most |s - s'| + what rounding the row lost. tests/reference/sketch.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

class FineSketcher {
 public:
  // Throws std::invalid_argument unless both hold 1 to 8192 numbers, finite, steps from 0 to
  // 2^120.
  FineSketcher(std::vector<float> centre, std::vector<float> step);

  int64_t size() const { return static_cast<int64_t>(centre_.size()); }
  const std::vector<float>& centre() const { return centre_; }
  const std::vector<float>& step() const { return step_; }

  // Of a row. sketch (size), finite -> bytes (size), overwritten, from -127 to 127. Returns at least
  // |step bytes - f(sketch)|. The same bytes on every instruction set.
  double row(std::span<const float> sketch, int8_t* bytes) const;

  // Of a query. sketch (size), finite -> numbers (size), overwritten: f(sketch), rounded to float.
  void query(std::span<const float> sketch, std::span<float> numbers) const;
  // What the root of cpu::least_sketch_distance may be more than |f(query) - step bytes|, by rounding.
  double rounding() const { return rounding_; }

 private:
  std::vector<float> centre_, step_;
  double rounding_;
};

// For sketches like those of sample (S, size), S >= 1: each number's median in the centre, and a step with
// which one number in a hundred is clipped.
FineSketcher fit_fine_sketcher(std::span<const float> sample, int64_t size);

}  // namespace lookalike
