// The squared distance of a query's fine sketch to a row's, in float, and what it says for certain.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

// sum over i of (query[i] - step[i] row[i])^2, in float; infinite where that has no room. query and step,
// finite, and row (n). Last bits differ between instruction sets.
float sketch_distance(const float* query, const float* step, const int8_t* row, int64_t n);

// For a sum that sketch_distance gave, n up to 80,000: the root of the exact sum is at least the root of this
// less sketch_distance_rounding(|step|), as each product may be rounded. Finite, never negative.
double least_sketch_distance(float computed, int64_t n);
double sketch_distance_rounding(double step_length);

// Asks for a row (n) that will be read soon.
inline void prefetch(const int8_t* row, int64_t n) {
  constexpr int64_t kLine = 64;
  for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(row + i);
}

}  // namespace lookalike::cpu
