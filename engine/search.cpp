#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "engine/error.h"

namespace lookalike {
namespace {

// Queries in one pass over the catalog: 47 MB of codes, and what a device has to hold at once.
constexpr int64_t kBatch = 4096;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

void require_finite(std::span<const float> codes, int64_t dimension) {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (!std::isfinite(codes[i])) {
      throw usage_error("query " + std::to_string(i / as_size(dimension)) + " of the search has a number " +
                        "that is not finite at position " + std::to_string(i % as_size(dimension)) +
                        ", encode its photo again");
    }
  }
}

// queries (Q, D), of one batch.
TopK nearest(Device& device, std::span<const float> queries, int64_t dimension, const CodeSource& catalog,
             const SearchLimits& limits) {
  const TopK none(std::ssize(queries) / dimension, limits.k, limits.most);
  TopK best = none;
  if (catalog.nearest && catalog.nearest(queries, limits, best)) return best;
  best = none;
  catalog.for_each_block([&](int64_t first_row, std::span<const float> rows) {
    SearchBlock block;
    block.queries = queries;
    block.rows = rows;
    block.dimension = dimension;
    block.first_row = first_row;
    if (!limits.allowed.empty()) {
      block.allowed = limits.allowed.subspan(as_size(first_row), rows.size() / as_size(dimension));
    }
    block.groups = limits.groups.of_rows(first_row, std::ssize(rows) / dimension);
    device.nearest(block, best);
  });
  return best;
}

}  // namespace

std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, const SearchLimits& limits) {
  const int64_t count = std::ssize(queries.codes) / queries.dimension;
  if (count * queries.dimension != std::ssize(queries.codes) ||
      (!queries.self_rows.empty() && std::ssize(queries.self_rows) != count)) {
    throw std::logic_error("search: queries are not (Q, D) with Q self rows");
  }
  if (!limits.allowed.empty() && std::ssize(limits.allowed) != catalog.rows) {
    throw std::logic_error("search: the mask is not one of the catalog");
  }
  if (!limits.groups.fit(count, catalog.rows)) {
    throw std::logic_error("search: the groups are not those of the queries and the catalog");
  }
  const int64_t k = limits.k;
  if (k < 1) throw usage_error("k is " + std::to_string(k) + ", ask for at least 1 neighbour");
  require_finite(queries.codes, queries.dimension);

  // One more than asked for: a query's own row, if it is there, is then left out.
  SearchLimits wider = limits;
  const bool leave_out = !queries.self_rows.empty() && !queries.keep_self;
  wider.k = std::min(catalog.rows, std::min(k, catalog.rows) + (leave_out ? 1 : 0));
  std::vector<std::vector<Neighbour>> results(as_size(count));
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t batch = std::min(kBatch, count - first);
    wider.groups = limits.groups.of_queries(first, batch);
    TopK best = nearest(
        device, queries.codes.subspan(as_size(first * queries.dimension), as_size(batch * queries.dimension)),
        queries.dimension, catalog, wider);
    for (int64_t q = 0; q < batch; ++q) {
      auto list = best.take(q);
      const int64_t self = leave_out ? queries.self_rows[as_size(first + q)] : -1;
      std::erase_if(list, [&](const Neighbour& neighbour) { return neighbour.row == self; });
      if (std::ssize(list) > k) list.resize(as_size(k));
      results[as_size(first + q)] = std::move(list);
    }
  }
  return results;
}

std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, int64_t k) {
  SearchLimits limits;
  limits.k = k;
  return search(device, queries, catalog, limits);
}

}  // namespace lookalike
