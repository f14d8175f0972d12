// Groups of rows, each hidden from the queries that are of it.
#pragma once

#include <cstdint>
#include <span>

namespace lookalike {

// A query gets no row of its own group. Both empty: there are no groups.
struct RowGroups {
  std::span<const int32_t> rows = {};     // (rows), -1: in no group
  std::span<const int32_t> queries = {};  // (Q), -1: in no group

  bool fit(int64_t query_count, int64_t row_count) const {
    return (rows.empty() && queries.empty()) ||
           (std::ssize(queries) == query_count && std::ssize(rows) == row_count);
  }
  bool hide(int64_t query, int64_t row) const {
    if (queries.empty()) return false;
    const int32_t group = queries[static_cast<std::size_t>(query)];
    return group >= 0 && group == rows[static_cast<std::size_t>(row)];
  }
  RowGroups of_queries(int64_t first, int64_t count) const {
    if (queries.empty()) return *this;
    return {rows, queries.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count))};
  }
  RowGroups of_rows(int64_t first, int64_t count) const {
    if (rows.empty()) return *this;
    return {rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)), queries};
  }
};

}  // namespace lookalike
