#include "host/collapse.h"

#include <algorithm>
#include <utility>

namespace lookalike {

CodesOfRows codes_of_rows(const CatalogReader& catalog) {
  return [&catalog](std::span<const int64_t> rows, std::span<float> codes) {
    const auto d = static_cast<std::size_t>(catalog.dimension());
    for (std::size_t i = 0; i < rows.size(); ++i) catalog.read_codes(rows[i], codes.subspan(i * d, d));
  };
}

int64_t k_to_collapse(int64_t k) { return std::min(k, kAllNeighbours - kMoreToCollapse) + kMoreToCollapse; }

LimitedSearch searched_by(CatalogSearch& search) {
  return [&search](const SearchQueries& queries, const SearchLimits& limits) {
    const int64_t d = queries.dimension, count = std::ssize(queries.codes) / d;
    std::vector<std::vector<Neighbour>> all;
    for (int64_t first = 0; first < count; first += search.at_once()) {
      const int64_t some = std::min(search.at_once(), count - first);
      SearchQueries piece;
      piece.dimension = d;
      piece.keep_self = queries.keep_self;
      piece.codes =
          queries.codes.subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(some * d));
      if (!queries.self_rows.empty()) {
        piece.self_rows.assign(queries.self_rows.begin() + first, queries.self_rows.begin() + first + some);
      }
      SearchLimits of_piece = limits;
      of_piece.groups = limits.groups.of_queries(first, some);
      for (auto& list : search.nearest(piece, of_piece)) all.push_back(std::move(list));
    }
    return all;
  };
}

CollapsedSearch::CollapsedSearch(const CatalogReader& catalog, LimitedSearch search,
                                 std::optional<double> within)
    : search_(std::move(search)) {
  if (within) {
    duplicates_.emplace(search_, codes_of_rows(catalog), catalog.rows(), catalog.dimension(), *within);
  }
}

std::vector<std::vector<Neighbour>> CollapsedSearch::nearest(const SearchQueries& queries,
                                                             const SearchLimits& limits) {
  if (!duplicates_) return search_(queries, limits);
  return search_collapsed(search_, queries, limits, *duplicates_, nullptr);
}

}  // namespace lookalike
