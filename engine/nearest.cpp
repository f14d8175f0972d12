#include "engine/nearest.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

// Two tiles of 24 codes are 550 kB: rows stay in the second-level cache while a tile of queries passes.
constexpr int64_t kTileQueries = 24;
constexpr int64_t kTileRows = 24;

// Below this many queries the rows' lengths cost more than the filter saves.
constexpr int64_t kFilterFrom = 6;

// Sums of squares in double, in eight accumulators, are within 2^-40 of the exact ones up to this dimension;
// kDoubleError leaves room for the handful of operations that follow.
constexpr int64_t kFilterDimension = 1 << 15;
constexpr double kDoubleError = 0x1p-38;

// Differences of two numbers that take as long as to start a thread.
constexpr int64_t kThreadWork = 1 << 17;

// task(0) .. task(count - 1) on `threads` threads, the first failure thrown again here.
void for_each_task(int64_t count, int threads, const std::function<void(int64_t)>& task) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (int64_t i = next++; i < count; i = next++) task(i);
    } catch (...) {
      next = count;
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int64_t t = 1; t < std::min<int64_t>(threads, count); ++t) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
Range tile(int64_t index, int64_t size, int64_t total) {
  return {index * size, std::min(total, (index + 1) * size)};
}

class Scan {
 public:
  Scan(const SearchBlock& block, const TopK& before, int threads)
      : block_(block), before_(before), d_(block.dimension) {
    queries_ = static_cast<int64_t>(block.queries.size()) / d_;
    rows_ = static_cast<int64_t>(block.rows.size()) / d_;
    threads_ = static_cast<int>(std::min<int64_t>(threads, 1 + queries_ * rows_ * d_ / kThreadWork));
    filtered_ = queries_ >= kFilterFrom && d_ <= kFilterDimension;
    if (!filtered_) return;
    query_lengths_ = squared_lengths(block.queries);
    row_lengths_ = squared_lengths(block.rows);
  }

  int64_t queries() const { return queries_; }
  int64_t rows() const { return rows_; }
  int threads() const { return threads_; }

  // Puts what is near among `rows` into the lists of `queries`.
  void run(Range queries, Range rows, TopK& best) const {
    std::vector<float> dots(filtered_ ? static_cast<std::size_t>(kTileQueries * kTileRows) : 0);
    for (int64_t r = rows.begin; r < rows.end; r += kTileRows) {
      const Range some{r, std::min(rows.end, r + kTileRows)};
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

  bool any_limit(Range queries, const TopK& best) const {
    for (int64_t q = queries.begin; q < queries.end; ++q) {
      if (std::isfinite(limit(q, best))) return true;
    }
    return false;
  }

  // dots: of query q with these rows, or null.
  void measure(int64_t q, Range rows, const float* dots, TopK& best) const {
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      if (!block_.allowed.empty() && block_.allowed[static_cast<std::size_t>(r)] == 0) continue;
      const double most = limit(q, best);
      if (dots != nullptr && surely_above(most, q, r, dots[r - rows.begin])) continue;
      const double distance = cpu::squared_distance_within(query(q), row(r), d_, most);
      if (distance <= most) best.insert(q, {distance, block_.first_row + r});
    }
  }

  // |q - r|^2 = |q|^2 + |r|^2 - 2 q.r, less all that rounding can have added.
  bool surely_above(double most, int64_t q, int64_t r, float dot) const {
    const double lengths =
        query_lengths_[static_cast<std::size_t>(q)] + row_lengths_[static_cast<std::size_t>(r)];
    // |q||r| <= (|q|^2 + |r|^2) / 2
    const double error = 2 * cpu::dot_product_error(d_, lengths / 2 * (1 + kDoubleError));
    const double lower = lengths * (1 - kDoubleError) - 2 * static_cast<double>(dot) - error;
    return lower > most * (1 + kDoubleError);
  }

  std::vector<double> squared_lengths(std::span<const float> vectors) const {
    const std::vector<float> origin(static_cast<std::size_t>(d_), 0.0F);
    const int64_t count = static_cast<int64_t>(vectors.size()) / d_;
    std::vector<double> lengths(static_cast<std::size_t>(count));
    constexpr int64_t kSome = 64;
    for_each_task((count + kSome - 1) / kSome, threads_, [&](int64_t i) {
      const Range some = tile(i, kSome, count);
      for (int64_t v = some.begin; v < some.end; ++v) {
        lengths[static_cast<std::size_t>(v)] =
            cpu::squared_distance(vectors.data() + v * d_, origin.data(), d_);
      }
    });
    return lengths;
  }

  const SearchBlock& block_;
  const TopK& before_;
  int64_t d_, queries_ = 0, rows_ = 0;
  int threads_ = 1;
  bool filtered_ = false;
  std::vector<double> query_lengths_, row_lengths_;  // squared
};

}  // namespace

void nearest_on_cpu(const SearchBlock& block, TopK& best, int threads) {
  const Scan scan(block, best, threads);
  threads = scan.threads();
  const int64_t query_tiles = (scan.queries() + kTileQueries - 1) / kTileQueries;
  if (query_tiles >= threads || threads <= 1) {
    for_each_task(query_tiles, threads, [&](int64_t i) {
      scan.run(tile(i, kTileQueries, scan.queries()), {0, scan.rows()}, best);
    });
    return;
  }
  // Few queries: each thread takes a part of the rows into lists of its own.
  const int64_t share = (scan.rows() + threads - 1) / threads;
  std::vector<TopK> parts(static_cast<std::size_t>(threads), TopK(best.queries(), best.k()));
  for_each_task(share == 0 ? 0 : threads, threads, [&](int64_t i) {
    for (int64_t t = 0; t < query_tiles; ++t) {
      scan.run(tile(t, kTileQueries, scan.queries()),
               {std::min(scan.rows(), i * share), std::min(scan.rows(), (i + 1) * share)},
               parts[static_cast<std::size_t>(i)]);
    }
  });
  for (TopK& part : parts) {
    for (int64_t q = 0; q < scan.queries(); ++q) {
      for (const Neighbour& neighbour : part.list(q)) best.insert(q, neighbour);
    }
  }
}

}  // namespace lookalike
