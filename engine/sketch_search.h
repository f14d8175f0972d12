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

struct SketchSearchOptions {
  std::span<const uint8_t> allowed;                       // (rows), zero leaves the row out; empty allows all
  double most = std::numeric_limits<double>::infinity();  // squared distance beyond which no row is wanted
  RowGroups groups = {};
};

// Merges every allowed row within `most` into each query's k best; queries (Q, D), finite; best (Q lists).
// Returns how many rows were measured in full, over all queries: where several threads share few queries that
// differs from run to run, as one profits from what another has found. The lists never do. Throws E_DAMAGED
// naming a row that is measured and not finite.
//
// Many queries: each thread takes some of them and scans all blocks. Few: each thread takes some of the
// blocks. Memory: Q (9 size + bytes + 64) for sketches; for each thread 6,144 candidates of 16 bytes and 64
// hits of 12 for each of at most 512 queries; with few queries (fewer than 6 a thread) also threads x Q lists
// of k.
int64_t nearest_by_sketch(const SketchedCatalog& catalog, std::span<const float> queries,
                          const SketchSearchOptions& options, TopK& best, ThreadPool& pool);

}  // namespace lookalike
