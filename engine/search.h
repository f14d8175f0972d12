// Nearest neighbours over a catalog that streams through in blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "engine/device.h"

namespace lookalike {

// Which rows a query wants.
struct SearchLimits {
  int64_t k = 10;                                         // at most so many
  double most = std::numeric_limits<double>::infinity();  // squared distance beyond which no row is wanted
  std::span<const uint8_t> allowed = {};                  // (rows), zero leaves the row out; empty allows all
  RowGroups groups = {};
};

struct CodeSource {
  int64_t rows = 0;
  // Rows in order, in blocks: visit(first_row, codes (count, D)).
  std::function<void(const std::function<void(int64_t first_row, std::span<const float> codes)>& visit)>
      for_each_block;
  // Where set, asked first: merges every row that the limits allow into each query's list, as all blocks
  // would be; queries (Q, D). False where it cannot: the lists are then thrown away and the blocks are used.
  std::function<bool(std::span<const float> queries, const SearchLimits& limits, TopK& best)> nearest =
      nullptr;
};

struct SearchQueries {
  std::span<const float> codes;  // (Q, D)
  std::vector<int64_t>
      self_rows;  // (Q) the query's own row, left out of its result; -1: none. Empty: none for all
  int64_t dimension = kCodeLength;  // D
  bool keep_self = false;           // own rows stay in the results
};

// Each query's k nearest rows within the limits, ascending by (squared distance, row); fewer only where there
// are fewer. Exact; the same bytes for any batch, block, thread count or device. Throws E_USAGE for a query
// that is not finite.
std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, const SearchLimits& limits);
std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, int64_t k);

}  // namespace lookalike
