// Dot products with a bound on their error: in float32, what may be asked before an exact distance is taken;
// in double, what projections are made of.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

// dots (query_count, row_count), overwritten: sum over i of queries(q, i) rows(r, i), in float.
// queries (query_count, dimension), rows (row_count, dimension). Last bits differ between instruction sets.
void dot_products(const float* queries, int64_t query_count, const float* rows, int64_t row_count,
                  int64_t dimension, float* dots);

// As above in double: |computed - exact| <= (dimension + 1) 2^-53 1.01 |q| |r|, by the argument of
// dot_product_error.
void dot_products(const double* queries, int64_t query_count, const double* rows, int64_t row_count,
                  int64_t dimension, double* dots);

// Of the float32 ones: |computed - exact dot product| <= this, for vectors whose lengths multiply to
// `lengths`; infinite where float might overflow on the way. Not the same on every instruction set: the more
// lanes, the fewer roundings.
double dot_product_error(int64_t dimension, double lengths);

}  // namespace lookalike::cpu
