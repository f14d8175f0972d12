// From a filter's candidates to each query's k nearest, exactly: candidates are measured in double, to the
// bits of kernels/cpu/distance.h, and merged into ascending lists by (distance, row).
#pragma once

#include <cstdint>

#include "kernels/cuda/nearest_choice.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

inline constexpr std::int64_t kListMost = 2048;        // neighbours of one pass
inline constexpr std::int64_t kCandidatesMost = 2048;  // of one query between two merges

// Device memory, for Q queries.
struct NearestLists {
  double* distances = nullptr;    // (Q, k), ascending by (distance, row)
  std::int32_t* rows = nullptr;   // (Q, k)
  std::int32_t* sizes = nullptr;  // (Q)
  double* limits = nullptr;       // (Q): what is farther does not enter; the k-th distance once there is one
  const double* last_distances = nullptr;   // (Q): only what comes after (last distance, last row) enters;
  const std::int32_t* last_rows = nullptr;  // null: everything does
  std::int64_t k = 0;                       // at most kListMost
};

struct Candidates {
  const std::int32_t* rows = nullptr;     // (Q, kCandidatesMost), less `first`; null: 0 .. counts - 1
  const std::uint32_t* counts = nullptr;  // (Q), at most kCandidatesMost
  double* distances = nullptr;            // (Q, kCandidatesMost), overwritten
  std::int32_t first = 0;                 // row number of candidate row 0
  RowChoice choice = {};                  // of all rows, asked only where `rows` is null
};

// candidates.distances = squared distances of each query's candidates, NaN where one does not enter the list.
// queries (Q, pitch), rows (M, pitch) floats, zeros beyond the dimension. Eight lanes a pair, one accumulator
// each; subtract, multiply and add are rounded to double one by one. Bound by reading the rows once for each
// candidate.
void measure(const float* queries, const float* rows, std::int64_t pitch, std::int64_t query_count,
             const Candidates& candidates, const NearestLists& lists, gpu::Stream stream);

// Merges the measured candidates into the lists and lowers the limits. One block a query sorts at most
// kListMost + kCandidatesMost pairs in shared memory, so the result does not depend on the candidates' order.
void merge(std::int64_t query_count, const Candidates& candidates, const NearestLists& lists,
           gpu::Stream stream);

}  // namespace lookalike::cuda
