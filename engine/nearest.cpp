#include "engine/nearest.h"

#include <algorithm>
#include <cmath>

#include "engine/distance_filter.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

constexpr int64_t kTileQueries = kTileRows;

// Below this many queries the rows' lengths cost more than the filter saves.
constexpr int64_t kFilterFrom = 6;

// Differences of two numbers that one more thread is worth.
constexpr int64_t kThreadWork = 1 << 17;

class Scan {
 public:
  Scan(const SearchBlock& block, const TopK& before, ThreadPool& pool)
      : block_(block), before_(before), d_(block.dimension) {
    queries_ = static_cast<int64_t>(block.queries.size()) / d_;
    rows_ = static_cast<int64_t>(block.rows.size()) / d_;
    parts_ = std::min<int64_t>(pool.threads(), 1 + queries_ * rows_ * d_ / kThreadWork);
    filtered_ = queries_ >= kFilterFrom && d_ <= kFilterDimension;
    if (!filtered_) return;
    query_lengths_ = squared_lengths(block.queries, d_, pool);
    row_lengths_ = squared_lengths(block.rows, d_, pool);
  }

  int64_t queries() const { return queries_; }
  int64_t rows() const { return rows_; }
  int64_t parts() const { return parts_; }  // that the work is worth cutting into

  // Puts what is near among `rows` into the lists of `queries`.
  void run(RowRange queries, RowRange rows, TopK& best) const {
    std::vector<float> dots(filtered_ ? static_cast<std::size_t>(kTileQueries * kTileRows) : 0);
    for (int64_t r = rows.begin; r < rows.end; r += kTileRows) {
      const RowRange some{r, std::min(rows.end, r + kTileRows)};
      if (filtered_ && any_limit(queries, best)) {
        cpu::dot_products(query(queries.begin), queries.size(), row(some.begin), some.size(), d_,
                          dots.data());
        for (int64_t q = queries.begin; q < queries.end; ++q) {
          measure(q, some, dots.data() + (q - queries.begin) * some.size(), best);
        }
      } else {
        for (int64_t q = queries.begin; q < queries.end; ++q) measure(q, some, nullptr, best);
      }
    }
  }

 private:
  const float* query(int64_t q) const { return block_.queries.data() + q * d_; }
  const float* row(int64_t r) const { return block_.rows.data() + r * d_; }

  // A list that `best` starts empty may already be limited by what earlier blocks gave.
  double limit(int64_t q, const TopK& best) const { return std::min(best.limit(q), before_.limit(q)); }

  bool any_limit(RowRange queries, const TopK& best) const {
    for (int64_t q = queries.begin; q < queries.end; ++q) {
      if (std::isfinite(limit(q, best))) return true;
    }
    return false;
  }

  // dots: of query q with these rows, or null.
  void measure(int64_t q, RowRange rows, const float* dots, TopK& best) const {
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      if (!block_.allowed.empty() && block_.allowed[static_cast<std::size_t>(r)] == 0) continue;
      if (block_.groups.hide(q, r)) continue;
      const double most = limit(q, best);
      if (dots != nullptr && ruled_out(most, q, r, dots[r - rows.begin])) continue;
      const double distance = cpu::squared_distance_within(query(q), row(r), d_, most);
      if (distance <= most) best.insert(q, {distance, block_.first_row + r});
    }
  }

  bool ruled_out(double most, int64_t q, int64_t r, float dot) const {
    const double lengths =
        query_lengths_[static_cast<std::size_t>(q)] + row_lengths_[static_cast<std::size_t>(r)];
    return surely_above(most, lengths, dot, dot_error(d_, lengths));
  }

  const SearchBlock& block_;
  const TopK& before_;
  int64_t d_, queries_ = 0, rows_ = 0, parts_ = 1;
  bool filtered_ = false;
  std::vector<double> query_lengths_, row_lengths_;  // squared
};

}  // namespace

void nearest_on_cpu(const SearchBlock& block, TopK& best, ThreadPool& pool) {
  const Scan scan(block, best, pool);
  const int64_t parts = scan.parts();
  const int64_t query_tiles = (scan.queries() + kTileQueries - 1) / kTileQueries;
  if (query_tiles >= parts || parts == 1) {
    pool.for_each(query_tiles, [&](int64_t i, int) {
      scan.run(piece(i, kTileQueries, scan.queries()), {0, scan.rows()}, best);
    });
    return;
  }
  // Few queries: each thread takes a part of the rows into lists of its own.
  const int64_t share = (scan.rows() + parts - 1) / parts;
  std::vector<TopK> lists(static_cast<std::size_t>(parts), TopK(best.queries(), best.k()));
  pool.for_each(share == 0 ? 0 : parts, [&](int64_t i, int) {
    for (int64_t t = 0; t < query_tiles; ++t) {
      scan.run(piece(t, kTileQueries, scan.queries()),
               {std::min(scan.rows(), i * share), std::min(scan.rows(), (i + 1) * share)},
               lists[static_cast<std::size_t>(i)]);
    }
  });
  for (TopK& list : lists) {
    for (int64_t q = 0; q < scan.queries(); ++q) {
      for (const Neighbour& neighbour : list.list(q)) best.insert(q, neighbour);
    }
  }
}

}  // namespace lookalike
