// Exact nearest neighbours by a scan of sketches, on the CPU.
//
// A row is passed over only where its sketch proves that it is farther than the query's k-th neighbour so
// far; all others are measured in full by squared_distance. So the result is that of looking at every row, to
// the bit, whatever the sketches: they change the cost alone.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "engine/row_groups.h"
#include "engine/sketch_blocks.h"
#include "engine/thread_pool.h"
#include "engine/top_k.h"

namespace lookalike {

// Many queries: each thread takes some of them, so many at a time, and scans all blocks. Few, fewer than this
// for each thread: each takes some of the blocks, and keeps lists of its own.
inline constexpr int64_t kSketchQueriesAtOnce = 512;
inline constexpr int64_t kSketchQueriesAThread = 6;
// Most that a thread keeps of rows that wait to be measured, for each query that it has in hand.
inline constexpr int64_t kSketchWaitingBytes = int64_t{3 * 2048} * 16;

struct SketchSearchOptions {
  std::span<const uint8_t> allowed;                       // (rows), zero leaves the row out; empty allows all
  double most = std::numeric_limits<double>::infinity();  // squared distance beyond which no row is wanted
  RowGroups groups = {};
};

// Merges every allowed row within `most` into each query's k best; queries (Q, D), finite; best (Q lists).
// Returns how many rows were measured in full, over all queries: where several threads share few queries that
// differs from run to run, as one profits from what another has found. The lists never do. Throws E_DAMAGED
// naming a row that is not finite where it measures all of one; it may pass over others.
//
// Memory: Q (9 size + bytes + 112 + 8 k) for sketches; for each query that a thread has in hand
// kSketchWaitingBytes and 64 hits of 12; with few queries also threads x Q lists of k.
int64_t nearest_by_sketch(const SketchedCatalog& catalog, std::span<const float> queries,
                          const SketchSearchOptions& options, TopK& best, ThreadPool& pool);

}  // namespace lookalike
