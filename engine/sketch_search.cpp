#include "engine/sketch_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/error.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

constexpr int64_t kGroup = cpu::kSketchGroup;

// 256 kB of sketches of 128 numbers: they stay in the second-level cache while groups pass.
constexpr int64_t kQueriesAtOnce = 512;
// From here on threads share out queries, not blocks: one tile of the scan for each.
constexpr int64_t kQueriesAThread = 6;

constexpr std::size_t kMostWaiting = 2048;
// Rows before the first measuring, and how much more before each further one.
constexpr int64_t kFirstLook = 1024;
constexpr int64_t kLookGrowth = 2;

// Room for what a handful of operations in double, and squared_distance itself, can be off.
constexpr double kSlack = 0x1p-37;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// A row that is still to be measured; its squared distance is at least `bound`.
struct Candidate {
  float bound;
  int64_t row;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.bound < b.bound || (a.bound == b.bound && a.row < b.row);
  }
};

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

struct Scratch {
  std::vector<float> block, code, least;
  std::vector<cpu::SketchHit> hits;
};

using Waiting = std::vector<std::vector<Candidate>>;  // for each query

class Search {
 public:
  Search(const SketchedCatalog& catalog, std::span<const float> queries, const SketchSearchOptions& options,
         int64_t k, ThreadPool& pool)
      : catalog_(catalog), options_(options), queries_(queries), k_(k) {
    d_ = catalog.sketcher->projection().dimension;
    size_ = catalog.sketcher->size();
    count_ = std::ssize(queries) / d_;
    sketches_.resize(as_size(count_ * size_));
    errors_.resize(as_size(count_));
    catalog.sketcher->sketch(queries, pool, sketches_, errors_);
    for (int64_t q = 0; q < count_; ++q) {
      double square = 0;
      for (int64_t i = 0; i < size_; ++i) {
        const auto value = static_cast<double>(sketches_[as_size(q * size_ + i)]);
        square += value * value;
      }
      squares_.push_back(square);
    }
    scratch_.resize(as_size(pool.threads()));
    for (Scratch& scratch : scratch_) scratch.code.resize(as_size(d_));
  }

  int64_t queries() const { return count_; }
  int64_t measured() const { return measured_; }
  Scratch& scratch(int thread) { return scratch_[static_cast<std::size_t>(thread)]; }

  // Blocks for some queries: the nearest go to `best`, those that may be near and are not measured yet to
  // `waiting`; both count from query 0.
  void scan(Range queries, Range blocks, TopK& best, Waiting& waiting, Scratch& scratch) {
    scratch.least.resize(as_size(queries.size()));
    scratch.hits.resize(as_size(queries.size() * kGroup));
    int64_t seen = 0, next_look = kFirstLook;
    for (int64_t b = blocks.begin; b < blocks.end; ++b) {
      const SketchBlock block = catalog_.block(b, scratch.block);
      for (int64_t q = queries.begin; q < queries.end; ++q) {
        scratch.least[as_size(q - queries.begin)] = least_score(q, block, limit(q, best));
      }
      for (int64_t row = 0; row < block.rows; row += kGroup) {
        scan_group(queries, block, b * kSketchBlockRows, row, best, waiting, scratch);
      }
      seen += block.rows;
      if (seen < next_look) continue;
      next_look = seen * kLookGrowth;
      for (int64_t q = queries.begin; q < queries.end; ++q) look(q, best, waiting[as_size(q)], scratch);
    }
  }

  // Measures what waits for a query, the lowest bound first, until the bound alone says too far.
  void settle(int64_t q, TopK& best, std::vector<Candidate>& waiting, Scratch& scratch) {
    std::sort(waiting.begin(), waiting.end());
    measure(q, best, waiting, waiting.size(), scratch);
    waiting.clear();
  }

 private:
  void scan_group(Range queries, const SketchBlock& block, int64_t first_row, int64_t row, TopK& best,
                  Waiting& waiting, Scratch& scratch) {
    const int64_t found = cpu::scan_sketches(sketches_.data() + queries.begin * size_, queries.size(), size_,
                                             block.values.data() + row * size_, block.halves.data() + row,
                                             scratch.least.data(), scratch.hits.data());
    for (int64_t i = 0; i < found; ++i) {
      const cpu::SketchHit& hit = scratch.hits[as_size(i)];
      if (row + hit.row >= block.rows) continue;
      const int64_t of_catalog = first_row + row + hit.row;
      if (!options_.allowed.empty() && options_.allowed[as_size(of_catalog)] == 0) continue;
      const int64_t q = queries.begin + hit.query;
      std::vector<Candidate>& of_query = waiting[as_size(q)];
      of_query.push_back({lower_bound(q, block, hit.score), of_catalog});
      if (of_query.size() < kMostWaiting) continue;
      look(q, best, of_query, scratch);
      if (of_query.size() > kMostWaiting / 2) settle(q, best, of_query, scratch);
      scratch.least[as_size(hit.query)] = least_score(q, block, limit(q, best));
    }
  }

  // Measures the k that look nearest and forgets those that are then too far: the limit comes down early at
  // the price of few rows.
  void look(int64_t q, TopK& best, std::vector<Candidate>& waiting, Scratch& scratch) {
    const std::size_t some = std::min(as_size(k_), waiting.size());
    std::partial_sort(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(some), waiting.end());
    measure(q, best, waiting, some, scratch);
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(some));
    const double most = limit(q, best);
    std::erase_if(waiting, [&](const Candidate& c) { return static_cast<double>(c.bound) > most; });
  }

  // The first `some` of `waiting`, ascending by bound.
  void measure(int64_t q, TopK& best, const std::vector<Candidate>& waiting, std::size_t some,
               Scratch& scratch) {
    const float* query = queries_.data() + q * d_;
    int64_t measured = 0;
    for (std::size_t i = 0; i < some; ++i) {
      const double most = limit(q, best);
      if (static_cast<double>(waiting[i].bound) > most) break;
      const int64_t row = waiting[i].row;
      const double distance = cpu::squared_distance_within(query, catalog_.code(row, scratch.code), d_, most);
      if (!std::isfinite(distance)) {
        throw damaged_error("row " + std::to_string(row) +
                            " of the catalog has a number that is not finite, copy the catalog again or "
                            "encode again with --force");
      }
      if (distance <= most) best.insert(q, {distance, row});
      ++measured;
    }
    measured_ += measured;
  }

  double limit(int64_t q, const TopK& best) const { return std::min(best.limit(q), options_.most); }

  // Scores below this prove a squared distance above `most`:
  //   |q' - r'| <= stretch |q - r| + error of both, |q' - r'|^2 = |q'|^2 - 2 score.
  float least_score(int64_t q, const SketchBlock& block, double most) const {
    const double far =
        catalog_.sketcher->stretch() * std::sqrt(most) * (1 + kSlack) + errors_[as_size(q)] + block.error;
    const double square = squares_[as_size(q)];
    const double least = (square * (1 - kSlack) - far * far * (1 + kSlack)) / 2 -
                         cpu::sketch_score_error(size_, std::sqrt(square) * (1 + kSlack), block.longest);
    if (!(least > -static_cast<double>(std::numeric_limits<float>::max()))) return -HUGE_VALF;
    return std::nextafter(static_cast<float>(least), -HUGE_VALF);
  }

  // Of the squared distance of a row with that score, rounded down; 0 where nothing is known.
  float lower_bound(int64_t q, const SketchBlock& block, float score) const {
    const double square = squares_[as_size(q)];
    const double error = cpu::sketch_score_error(size_, std::sqrt(square) * (1 + kSlack), block.longest);
    const double apart = square * (1 - kSlack) - 2 * (static_cast<double>(score) + error);
    if (!(apart > 0)) return 0;
    const double far =
        (std::sqrt(apart) * (1 - kSlack) - errors_[as_size(q)] - block.error) / catalog_.sketcher->stretch();
    if (!(far > 0)) return 0;
    const double bound = std::min(far * far * (1 - kSlack), 3e38);
    return std::nextafter(static_cast<float>(bound), 0.0F);
  }

  const SketchedCatalog& catalog_;
  const SketchSearchOptions& options_;
  std::span<const float> queries_;  // (count, D)
  int64_t k_, d_ = 0, size_ = 0, count_ = 0;
  std::vector<float> sketches_;           // (count, size)
  std::vector<double> errors_, squares_;  // (count): |stored - exact|, |stored|^2
  std::vector<Scratch> scratch_;          // for each thread
  std::atomic<int64_t> measured_{0};
};

int64_t share(int64_t index, int64_t of, int64_t total) { return index * total / of; }

}  // namespace

int64_t nearest_by_sketch(const SketchedCatalog& catalog, std::span<const float> queries,
                          const SketchSearchOptions& options, TopK& best, ThreadPool& pool) {
  if (best.queries() * catalog.sketcher->projection().dimension != std::ssize(queries) ||
      (!options.allowed.empty() && std::ssize(options.allowed) != catalog.rows)) {
    throw std::invalid_argument("queries, lists and mask do not fit the catalog");
  }
  if (best.k() == 0) return 0;
  Search search(catalog, queries, options, best.k(), pool);
  const int64_t count = search.queries(), threads = pool.threads();
  Waiting waiting(as_size(count));
  if (threads == 1 || count >= threads * kQueriesAThread) {
    const int64_t parts = std::max((count + kQueriesAtOnce - 1) / kQueriesAtOnce, std::min(threads, count));
    pool.for_each(parts, [&](int64_t i, int thread) {
      const Range some{share(i, parts, count), share(i + 1, parts, count)};
      Scratch& scratch = search.scratch(thread);
      search.scan(some, {0, catalog.blocks()}, best, waiting, scratch);
      for (int64_t q = some.begin; q < some.end; ++q) search.settle(q, best, waiting[as_size(q)], scratch);
    });
    return search.measured();
  }
  std::vector<TopK> parts(as_size(threads), TopK(count, best.k()));
  std::vector<Waiting> waits(as_size(threads), waiting);
  pool.for_each(threads, [&](int64_t i, int thread) {
    search.scan({0, count}, {share(i, threads, catalog.blocks()), share(i + 1, threads, catalog.blocks())},
                parts[as_size(i)], waits[as_size(i)], search.scratch(thread));
  });
  pool.for_each(count, [&](int64_t q, int thread) {
    std::vector<Candidate>& all = waiting[as_size(q)];
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (const Neighbour& neighbour : parts[i].list(q)) best.insert(q, neighbour);
      const std::vector<Candidate>& some = waits[i][as_size(q)];
      all.insert(all.end(), some.begin(), some.end());
    }
    search.settle(q, best, all, search.scratch(thread));
  });
  return search.measured();
}

}  // namespace lookalike
