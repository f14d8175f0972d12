// The scan of 8-bit sketches: scores of a group of rows against queries, and the rows whose score is not too
// low.
#pragma once

#include <cstdint>

namespace lookalike::cpu {

inline constexpr int64_t kSketchGroup = 64;        // rows that lie interleaved
inline constexpr int64_t kMostSketchBytes = 8192;  // of a sketch: sums then stay within 32 bits

// Of rows that are not there: below the score of any that is.
inline constexpr int32_t kNoRow = -(1 << 30);

struct SketchHit {
  int32_t score;
  int32_t query;
  int32_t row;  // 0 .. 63 of the group
};

// score(q, r) = half[r] + sum over i of queries(q, i) group(r, i), in integers, exact.
// With group(r, i) = 128 + b(r, i), half = -floor(|b|^2 / 2) and d = |q - b|^2:
//   2 (score - 128 sum of q) = |q|^2 - d, or 1 more where |b|^2 is odd.
//
// queries (Q, n), group (n / 4, 64, 4): four numbers of a row lie together; n a multiple of 4, at most
// kMostSketchBytes; half (64), from kNoRow to 0; least (Q). Overwrites hits, which has room for 64 Q, with
// every pair whose score is at least least[q], and returns their number: the same on every instruction set,
// the order of a query's rows ascending. Bound by multiply-adds for many queries, by reading the group for
// few.
int64_t scan_sketches(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                      const int32_t* half, const int32_t* least, SketchHit* hits);

// The same without AVX-512 VNNI (sketch_scan_vnni.h), which scan_sketches uses where there is one; for tests.
int64_t scan_sketches_by_shorts(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                                const int32_t* half, const int32_t* least, SketchHit* hits);

}  // namespace lookalike::cpu
