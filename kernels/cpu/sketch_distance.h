// The squared distance of two sketches in float, and what it says for certain.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

// sum over i of (a[i] - b[i])^2, in float; infinite where that has no room. a, b (n), finite. Last bits
// differ between instruction sets.
float sketch_distance(const float* a, const float* b, int64_t n);

// The exact sum is at least this, for a sum that sketch_distance gave; n up to 80,000. Finite, never
// negative.
double least_sketch_distance(float computed, int64_t n);

}  // namespace lookalike::cpu
