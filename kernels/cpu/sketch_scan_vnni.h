// scan_sketches for processors that multiply bytes four at a time (AVX-512 VNNI): Highway has no such
// operation.
#pragma once

#include "kernels/cpu/sketch_scan.h"

namespace lookalike::cpu {

// Whether this processor does.
bool has_byte_products();

// As scan_sketches; only where has_byte_products.
int64_t scan_by_byte_products(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                              const int32_t* half, const int32_t* least, SketchHit* hits);

}  // namespace lookalike::cpu
