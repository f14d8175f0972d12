// The scan of sketches: scores of a group of rows against queries, and the rows whose score is not too low.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

inline constexpr int64_t kSketchGroup = 64;  // rows that lie interleaved

struct SketchHit {
  float score;
  int32_t query;
  int32_t row;  // 0 .. 63 of the group
};

// score(q, r) = half[r] + sum over i of queries(q, i) group(i, r), in float, i ascending.
// With half = -|row|^2 / 2 it orders rows by their distance: |q - r|^2 = |q|^2 - 2 score.
//
// queries (Q, n), group (n, 64), half (64), least (Q). Overwrites hits, which has room for 64 Q, with every
// pair whose score is not below least[q], scores that are NaN among them, and returns their number. Last bits
// of scores differ between instruction sets. Bound by multiply-adds for many queries, by reading the group
// for few.
int64_t scan_sketches(const float* queries, int64_t query_count, int64_t n, const float* group,
                      const float* half, const float* least, SketchHit* hits);

// |computed - exact score| <= this for a query of length `query` and rows up to `row` long, half rounded to
// float; infinite where float might overflow on the way.
double sketch_score_error(int64_t n, double query, double row);

}  // namespace lookalike::cpu
