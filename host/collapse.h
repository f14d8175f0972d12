// --collapse: one of each group of near-duplicates in a result.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/near_duplicates.h"
#include "host/catalog.h"
#include "host/catalog_search.h"

namespace lookalike {

// Of the kind that the catalog was opened on; the catalog must outlive it.
CodesOfRows codes_of_rows(const CatalogReader& catalog);

// Neighbours that are looked for at first where k are to be shown.
int64_t k_to_collapse(int64_t k);

// search.nearest in pieces of search.at_once() queries; `search` must outlive it.
LimitedSearch searched_by(CatalogSearch& search);

// A search of a catalog that shows the nearest of each group and hides the group of a query that is an item;
// as `search` where `within`, the distance that links two items, is not given. Groups are those of
// NearDuplicates, found as far as they are met.
class CollapsedSearch {
 public:
  CollapsedSearch(const CatalogReader& catalog, LimitedSearch search, std::optional<double> within);

  std::vector<std::vector<Neighbour>> nearest(const SearchQueries& queries, const SearchLimits& limits);

 private:
  LimitedSearch search_;
  std::optional<NearDuplicates> duplicates_;
};

}  // namespace lookalike
