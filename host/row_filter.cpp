#include "host/row_filter.h"

#include <algorithm>
#include <stdexcept>

#include "host/where_filter.h"

namespace lookalike {
namespace {

// What SQLite holds while it judges or sorts: host/where_filter.h, and a sort's pages.
constexpr int64_t kWhereBytes = int64_t{8} << 20, kSortBytes = int64_t{4} << 20;

}  // namespace

RowFilter::RowFilter(const CatalogReader& catalog, const std::string& where, bool exclude_label_of_query)
    : all_(catalog.rows()) {
  if (!where.empty()) allowed_ = rows_where(catalog, where);
  if (exclude_label_of_query) labels_ = catalog.label_numbers();
}

int64_t RowFilter::bytes(int64_t rows, bool where, bool exclude_label_of_query) {
  constexpr auto kNumber = static_cast<int64_t>(sizeof(int32_t));
  return (where ? rows + kWhereBytes : 0) + (exclude_label_of_query ? rows * kNumber + kSortBytes : 0);
}

int64_t RowFilter::rows() const {
  return allowed_.empty() ? all_ : std::count(allowed_.begin(), allowed_.end(), 1);
}

SearchLimits RowFilter::within(SearchLimits limits, const SearchQueries& queries,
                               std::vector<int32_t>& query_groups) const {
  if (!limits.allowed.empty()) throw std::logic_error("two masks of rows");
  limits.allowed = allowed_;
  if (labels_.empty() || queries.self_rows.empty()) return limits;
  if (!limits.groups.queries.empty()) throw std::logic_error("two groupings of rows");
  query_groups.clear();
  for (const int64_t row : queries.self_rows) {
    query_groups.push_back(row < 0 ? -1 : labels_[static_cast<std::size_t>(row)]);
  }
  limits.groups = {labels_, query_groups};
  return limits;
}

}  // namespace lookalike
