// Exact nearest neighbours of every row among the others, each pair of rows compared once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/thread_pool.h"
#include "engine/top_k.h"

namespace lookalike {

// Merges every row's others into its list: best.list(q), for each of the rows, is what nearest_on_cpu gives
// for query q but for the row q itself, to the byte, for any number of threads. The squared distance of
// kernels/cpu/distance.h is symmetric to the bit, so one measurement serves both rows.
//
// codes (rows, dimension), finite; best: a list for each row. watch (share done, 0 to 1) is called by the
// caller's thread, once for each block of rows, with nothing under way; what it throws comes through and ends
// the work.
void nearest_pairs_on_cpu(std::span<const float> codes, int64_t dimension, TopK& best, ThreadPool& pool,
                          const std::function<void(double share)>& watch = {});

}  // namespace lookalike
