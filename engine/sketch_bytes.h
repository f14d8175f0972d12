// Sketches in 8 bits, for a scan in integers.
//
// From a sketch s of size numbers, the first n - 1 stay and the rest becomes its length:
//   t(s) = [ s_1 .. s_(n-1) ; |(s_n .. s_size)| ],   |t(s) - t(s')| <= |s - s'|   (triangle inequality)
// t is clipped to centre +- 127 step, which brings no two points farther from one another, and rounded:
//   b_i = round((clip(t_i) - centre_i) / step),      step |b - b'| <= |s - s'| + what rounding both lost.
// So whatever centre and step are, integers give lower bounds; tests/reference/sketch.h computes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

class ByteSketcher {
 public:
  // Throws std::invalid_argument unless 1 to 8192 finite numbers and a step that is positive and finite.
  ByteSketcher(std::vector<float> centre, double step);

  int64_t numbers() const { return static_cast<int64_t>(centre_.size()); }  // n
  int64_t stored() const { return (numbers() + 3) / 4 * 4; }  // with zeros up to a multiple of 4
  const std::vector<float>& centre() const { return centre_; }
  double step() const { return step_; }

  // sketch (n or more numbers, up to 8192), finite -> bytes (stored), overwritten, from -127 to 127. Returns
  // at least |centre + step bytes - clip(t(sketch))|. The same bytes on every instruction set.
  double sketch(std::span<const float> sketch, int8_t* bytes) const;

 private:
  std::vector<float> centre_;
  double step_;
  double rounding_;  // of this arithmetic itself
};

// For sketches like those of sample (S, size), S >= 1: at most `numbers` bytes, each number's median in the
// centre, and a step at which nothing is clipped of half of the rows: a shorter step
// rounds less, a longer one clips less. Rows far out of the ordinary change
// neither.
ByteSketcher fit_byte_sketcher(std::span<const float> sample, int64_t size, int64_t numbers);

}  // namespace lookalike
