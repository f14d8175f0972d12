// Nearest neighbours over a catalog that streams through in blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/device.h"

namespace lookalike {

// Rows in order, in blocks: visit(first_row, codes (count, D)).
struct CodeSource {
  int64_t rows = 0;
  std::function<void(const std::function<void(int64_t first_row, std::span<const float> codes)>& visit)>
      for_each_block;
};

struct SearchQueries {
  std::span<const float> codes;  // (Q, D)
  std::vector<int64_t>
      self_rows;  // (Q) the query's own row, left out of its result; -1: none. Empty: none for all
};

// Each query's k nearest rows, ascending by (squared distance, row); fewer only where the catalog has fewer.
// Exact; the same bytes for any batch, block, thread count or device. Throws E_USAGE for a query that is not
// finite.
std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, int64_t k);

}  // namespace lookalike
