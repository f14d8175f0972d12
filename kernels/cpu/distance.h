// The squared Euclidean distance of two rows, defined to the bit:
//   acc[j] = sum over i = j, j + 8, j + 16, ... of (double(a[i]) - double(b[i]))^2, in ascending i,
//   subtract, multiply and add each rounded to double (never fused);
//   result = ((acc0 + acc1) + (acc2 + acc3)) + ((acc4 + acc5) + (acc6 + acc7)).
// The bits are the same on every instruction set and device. Self-distance is 0; none is negative.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

// a, b (dimension).
double squared_distance(const float* a, const float* b, int64_t dimension);

// As squared_distance where the result is at most `limit`; otherwise any value above `limit`, found early:
// the accumulators only grow, so a partial sum above the limit settles it. `next`, unless null, is a row that
// will be measured soon: it is on its way into the cache meanwhile.
double squared_distance_within(const float* a, const float* b, int64_t dimension, double limit,
                               const float* next = nullptr);

}  // namespace lookalike::cpu
