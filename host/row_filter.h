// Which rows of a catalog a search may answer with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/search.h"
#include "host/catalog.h"

namespace lookalike {

class RowFilter {
 public:
  // where: empty for all; E_USAGE as rows_where has it. Memory: a byte a row, and four for labels.
  RowFilter(const CatalogReader& catalog, const std::string& where, bool exclude_label_of_query);

  int64_t rows() const;  // that fulfil the condition

  // As `search` of the rows allowed; a query whose own row has a label gets none with that label. Queries of
  // one label are searched together: a pass over the catalog for each label. limits.allowed has to be empty.
  using Search = std::function<std::vector<std::vector<Neighbour>>(const SearchQueries& queries,
                                                                   const SearchLimits& limits)>;
  std::vector<std::vector<Neighbour>> search(const SearchQueries& queries, const SearchLimits& limits,
                                             const Search& search) const;

 private:
  std::vector<uint8_t> allowed_;  // (rows)
  std::vector<int32_t> labels_;   // (rows) numbered; -1: none. Empty where labels do not count
};

}  // namespace lookalike
