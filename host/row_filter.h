// Which rows of a catalog a search may answer with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/search.h"
#include "host/catalog.h"

namespace lookalike {

class RowFilter {
 public:
  // where: empty for all; E_USAGE as rows_where has it.
  RowFilter(const CatalogReader& catalog, const std::string& where, bool exclude_label_of_query);

  // That one of a catalog of so many rows takes at its peak.
  static int64_t bytes(int64_t rows, bool where, bool exclude_label_of_query);

  int64_t rows() const;  // that fulfil the condition

  // The limits with a mask, which must have none, and groups, which must have none where labels count and
  // queries have rows: a query whose own row has a label gets none with that label. They refer to this filter
  // and to query_groups, which is overwritten.
  SearchLimits within(SearchLimits limits, const SearchQueries& queries,
                      std::vector<int32_t>& query_groups) const;

 private:
  int64_t all_;
  std::vector<uint8_t> allowed_;  // (rows); empty where there is no condition
  std::vector<int32_t> labels_;   // (rows) numbered; empty where labels do not count
};

}  // namespace lookalike
