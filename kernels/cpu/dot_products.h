// Dot products in float32 with a bound on their error: what may be asked before an exact distance is taken.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

// dots (query_count, row_count), overwritten: sum over i of queries(q, i) rows(r, i), in float.
// queries (query_count, dimension), rows (row_count, dimension). Last bits differ between instruction sets.
void dot_products(const float* queries, int64_t query_count, const float* rows, int64_t row_count,
                  int64_t dimension, float* dots);

// |computed - exact dot product| <= this, for vectors whose lengths multiply to `lengths`; infinite where
// float might overflow on the way.
double dot_product_error(int64_t dimension, double lengths);

}  // namespace lookalike::cpu
