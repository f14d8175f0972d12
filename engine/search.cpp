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

void require_finite(std::span<const float> codes) {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (!std::isfinite(codes[i])) {
      throw usage_error("query " + std::to_string(i / kCodeLength) + " of the search has a number that is " +
                        "not finite at position " + std::to_string(i % kCodeLength) +
                        ", encode its photo again");
    }
  }
}

}  // namespace

std::vector<std::vector<Neighbour>> search(Device& device, const SearchQueries& queries,
                                           const CodeSource& catalog, int64_t k) {
  const int64_t count = static_cast<int64_t>(queries.codes.size()) / kCodeLength;
  if (count * kCodeLength != static_cast<int64_t>(queries.codes.size()) ||
      (!queries.self_rows.empty() && static_cast<int64_t>(queries.self_rows.size()) != count)) {
    throw std::logic_error("search: queries are not (Q, 2888) with Q self rows");
  }
  if (k < 1) throw usage_error("k is " + std::to_string(k) + ", ask for at least 1 neighbour");
  require_finite(queries.codes);

  const auto self = [&](int64_t q) {
    return queries.self_rows.empty() ? -1 : queries.self_rows[static_cast<std::size_t>(q)];
  };
  std::vector<std::vector<Neighbour>> results(static_cast<std::size_t>(count));
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t batch = std::min(kBatch, count - first);
    // One more than asked for: a query's own row, if it is there, is then left out.
    TopK best(batch, std::min(catalog.rows, std::min(k, catalog.rows) + (queries.self_rows.empty() ? 0 : 1)));
    const auto codes = queries.codes.subspan(static_cast<std::size_t>(first * kCodeLength),
                                             static_cast<std::size_t>(batch * kCodeLength));
    catalog.for_each_block([&](int64_t first_row, std::span<const float> rows) {
      SearchBlock block;
      block.queries = codes;
      block.rows = rows;
      block.first_row = first_row;
      device.nearest(block, best);
    });
    for (int64_t q = 0; q < batch; ++q) {
      auto list = best.take(q);
      std::erase_if(list, [&](const Neighbour& neighbour) { return neighbour.row == self(first + q); });
      if (static_cast<int64_t>(list.size()) > k) list.resize(static_cast<std::size_t>(k));
      results[static_cast<std::size_t>(first + q)] = std::move(list);
    }
  }
  return results;
}

}  // namespace lookalike
