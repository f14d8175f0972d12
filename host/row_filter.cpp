#include "host/row_filter.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "host/where_filter.h"

namespace lookalike {
namespace {

constexpr int32_t kNone = -1;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

std::vector<int32_t> label_numbers(const CatalogReader& catalog) {
  std::map<std::string, int32_t> numbers;
  std::vector<int32_t> labels;
  labels.reserve(as_size(catalog.rows()));
  catalog.for_each_item([&](const CatalogItem& item) {
    const auto next = static_cast<int32_t>(numbers.size());
    labels.push_back(item.label.empty() ? kNone : numbers.try_emplace(item.label, next).first->second);
  });
  return labels;
}

}  // namespace

RowFilter::RowFilter(const CatalogReader& catalog, const std::string& where, bool exclude_label_of_query)
    : allowed_(where.empty() ? std::vector<uint8_t>(as_size(catalog.rows()), 1)
                             : rows_where(catalog, where)) {
  if (exclude_label_of_query) labels_ = label_numbers(catalog);
}

int64_t RowFilter::rows() const { return std::count(allowed_.begin(), allowed_.end(), 1); }

std::vector<std::vector<Neighbour>> RowFilter::search(const SearchQueries& queries,
                                                      const SearchLimits& limits,
                                                      const Search& search) const {
  if (!limits.allowed.empty()) throw std::logic_error("two masks of rows");
  SearchLimits within = limits;
  within.allowed = allowed_;
  if (labels_.empty() || queries.self_rows.empty()) return search(queries, within);

  std::map<int32_t, std::vector<std::size_t>> groups;  // queries by label
  for (std::size_t q = 0; q < queries.self_rows.size(); ++q) {
    const int64_t row = queries.self_rows[q];
    groups[row < 0 ? kNone : labels_[as_size(row)]].push_back(q);
  }
  std::vector<std::vector<Neighbour>> results(queries.self_rows.size());
  for (const auto& [label, members] : groups) {
    std::vector<uint8_t> others = allowed_;
    for (std::size_t row = 0; row < others.size(); ++row) {
      if (label != kNone && labels_[row] == label) others[row] = 0;
    }
    within.allowed = others;
    SearchQueries some = queries;
    some.self_rows.clear();
    std::vector<float> codes;
    codes.reserve(members.size() * as_size(queries.dimension));
    for (const std::size_t q : members) {
      const auto code = queries.codes.subspan(q * as_size(queries.dimension), as_size(queries.dimension));
      codes.insert(codes.end(), code.begin(), code.end());
      some.self_rows.push_back(queries.self_rows[q]);
    }
    some.codes = codes;
    auto found = search(some, within);
    for (std::size_t i = 0; i < members.size(); ++i) results[members[i]] = std::move(found[i]);
  }
  return results;
}

}  // namespace lookalike
