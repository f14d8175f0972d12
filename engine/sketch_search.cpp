#include "engine/sketch_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/sketch_distance.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

constexpr int64_t kGroup = cpu::kSketchGroup;

// 64 kB of 8-bit sketches of 128 numbers: they stay in the second-level cache while groups pass.
constexpr int64_t kQueriesAtOnce = 512;
// From here on threads share out queries, not blocks: one tile of the scan for each.
constexpr int64_t kQueriesAThread = 6;

constexpr std::size_t kMostWaiting = 2048;
constexpr int64_t kAhead = 4;  // sketches that are asked for at once
// Up to this k a thread's first block gives a first limit: the k rows of the highest scores are measured.
constexpr int64_t kMostSeeds = 64;
// Blocks before the first measuring of what waits, and how many times as many before each further one.
constexpr int64_t kFirstLook = 4;
constexpr int64_t kLookGrowth = 4;

// Room for what a handful of operations in double can be off, and squared_distance itself: a square passes at
// most D / 8 + 5 roundings of 2^-53, which is 2^-40.9 at kMostSketchedDimension.
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
  std::vector<uint8_t> block;
  std::vector<float> sketches, code, next_code;
  std::vector<int32_t> least;
  std::vector<cpu::SketchHit> hits;
};

using Waiting = std::vector<std::vector<Candidate>>;  // for each query

// Rows lie as the photos' folders do: blocks are taken in steps of about 0.618 of them all, so that the first
// few are from everywhere and limits come down early.
class Order {
 public:
  explicit Order(int64_t blocks) : blocks_(std::max<int64_t>(blocks, 1)) {
    step_ = std::max<int64_t>(1, blocks_ * 618 / 1000);
    while (std::gcd(step_, blocks_) != 1) ++step_;
  }
  int64_t operator[](int64_t i) const { return i * step_ % blocks_; }

 private:
  int64_t blocks_, step_;
};

class Search {
 public:
  Search(const SketchedCatalog& catalog, std::span<const float> queries, const SketchSearchOptions& options,
         const TopK& best, ThreadPool& pool)
      : catalog_(catalog), options_(options), queries_(queries), k_(best.k()), order_(catalog.blocks()) {
    d_ = catalog.sketcher->projection().dimension;
    size_ = catalog.sketcher->size();
    stored_ = catalog.byte_sketcher->stored();
    count_ = std::ssize(queries) / d_;
    sketches_.resize(as_size(count_ * size_));
    bytes_.resize(as_size(count_ * stored_));
    of_queries_.resize(as_size(count_));
    limits_ = std::vector<std::atomic<double>>(as_size(count_));
    std::vector<double> errors(as_size(count_));
    catalog.sketcher->sketch(queries, pool, sketches_, errors);
    for (int64_t q = 0; q < count_; ++q) {
      const auto sketch = std::span(sketches_).subspan(as_size(q * size_), as_size(size_));
      int8_t* bytes = bytes_.data() + q * stored_;
      OfQuery& of = of_queries_[as_size(q)];
      of.error = errors[as_size(q)];
      of.byte_error = of.error + catalog.byte_sketcher->sketch(sketch, bytes);
      for (int64_t i = 0; i < stored_; ++i) {
        of.square += bytes[i] * bytes[i];
        of.sum += bytes[i];
      }
      limits_[as_size(q)] = std::min(best.limit(q), options.most);
    }
    scratch_.resize(as_size(pool.threads()));
    for (Scratch& scratch : scratch_) {
      scratch.sketches.resize(as_size(kAhead * size_));
      scratch.code.resize(as_size(d_));
      scratch.next_code.resize(as_size(d_));
    }
  }

  int64_t queries() const { return count_; }
  int64_t measured() const { return measured_; }
  Scratch& scratch(int thread) { return scratch_[static_cast<std::size_t>(thread)]; }

  // Blocks `first`, first + step, ... of the order for some queries: the nearest go to `best`, those that may
  // be near and are not measured yet to `waiting`; both count from query 0.
  void scan(Range queries, int64_t first, int64_t step, TopK& best, Waiting& waiting, Scratch& scratch) {
    scratch.least.resize(as_size(queries.size()));
    scratch.hits.resize(as_size(queries.size() * kGroup));
    int64_t seen = 0, next_look = kFirstLook;
    for (int64_t i = first; i < catalog_.blocks(); i += step) {
      const int64_t b = order_[i];
      const SketchBlock block = catalog_.block(b, scratch.block);
      if (i == first && k_ <= kMostSeeds) seed(queries, block, b * kSketchBlockRows, waiting, scratch);
      for (int64_t q = queries.begin; q < queries.end; ++q) {
        scratch.least[as_size(q - queries.begin)] = least_score(q, block);
      }
      for (int64_t row = 0; row < block.rows; row += kGroup) {
        scan_group(queries, block, b * kSketchBlockRows, row, best, waiting, scratch);
      }
      if (++seen < next_look) continue;
      next_look = seen * kLookGrowth;
      for (int64_t q = queries.begin; q < queries.end; ++q) look(q, best, waiting[as_size(q)], scratch);
    }
  }

  // Measures what waits for a query, the lowest bound first, until the bound alone says too far.
  void settle(int64_t q, TopK& best, std::vector<Candidate>& waiting, Scratch& scratch) {
    look(q, best, waiting, scratch);
    std::sort(waiting.begin(), waiting.end());
    measure(q, best, q, waiting, waiting.size(), scratch);
    waiting = {};
  }

 private:
  struct OfQuery {
    double error = 0, byte_error = 0;  // |stored - exact sketch|, in float and in bytes
    int64_t square = 0, sum = 0;       // of the bytes: |bytes|^2, and their sum
  };

  // Hits of the group at `row` of a block.
  int64_t hits_of_group(Range queries, const SketchBlock& block, int64_t row, Scratch& scratch) const {
    return cpu::scan_sketches(bytes_.data() + queries.begin * stored_, queries.size(), stored_,
                              block.bytes.data() + row * stored_, block.halves.data() + row,
                              scratch.least.data(), scratch.hits.data());
  }

  // Lowers each query's limit to the distance of the k-th of k rows that score high. They are not put into
  // the lists: the scan comes to them again.
  void seed(Range queries, const SketchBlock& block, int64_t first_row, Waiting& waiting, Scratch& scratch) {
    std::fill(scratch.least.begin(), scratch.least.end(), std::numeric_limits<int32_t>::min());
    for (int64_t row = 0; row < block.rows; row += kGroup) {
      const int64_t found = hits_of_group(queries, block, row, scratch);
      for (int64_t i = 0; i < found; ++i) {
        const cpu::SketchHit& hit = scratch.hits[as_size(i)];
        const int64_t of_catalog = first_row + row + hit.row;
        if (row + hit.row >= block.rows || !allowed(queries.begin + hit.query, of_catalog)) continue;
        std::vector<Candidate>& highest = waiting[as_size(queries.begin + hit.query)];
        highest.push_back({-static_cast<float>(hit.score), of_catalog});
        std::push_heap(highest.begin(), highest.end());
        if (std::ssize(highest) > k_) {
          std::pop_heap(highest.begin(), highest.end());
          highest.pop_back();
          scratch.least[as_size(hit.query)] = static_cast<int32_t>(-highest.front().bound);
        }
      }
    }
    for (int64_t q = queries.begin; q < queries.end; ++q) {
      std::vector<Candidate>& highest = waiting[as_size(q)];
      TopK apart(1, k_);
      measure(q, apart, 0, highest, highest.size(), scratch);
      highest.clear();
    }
  }

  void scan_group(Range queries, const SketchBlock& block, int64_t first_row, int64_t row, TopK& best,
                  Waiting& waiting, Scratch& scratch) {
    const int64_t found = hits_of_group(queries, block, row, scratch);
    const auto not_wanted = [&](const cpu::SketchHit& hit) {
      return row + hit.row >= block.rows || !allowed(queries.begin + hit.query, first_row + row + hit.row);
    };
    const auto end = std::remove_if(scratch.hits.begin(), scratch.hits.begin() + found, not_wanted);
    const int64_t wanted = end - scratch.hits.begin();
    // Sketches are on their way into the cache while those before them are compared.
    const float* sketches[kAhead] = {};
    for (int64_t i = 0; i < wanted + kAhead - 1; ++i) {
      if (i < wanted) {
        const int64_t place = i % kAhead;
        sketches[place] =
            catalog_.sketch(first_row + row + scratch.hits[as_size(i)].row,
                            std::span(scratch.sketches).subspan(as_size(place * size_), as_size(size_)));
        cpu::prefetch(sketches[place], size_);
      }
      const int64_t ready = i - (kAhead - 1);
      if (ready < 0) continue;
      const cpu::SketchHit& hit = scratch.hits[as_size(ready)];
      const int64_t q = queries.begin + hit.query;
      const float bound = lower_bound(q, block, sketches[ready % kAhead]);
      if (static_cast<double>(bound) > limit(q)) continue;
      std::vector<Candidate>& of_query = waiting[as_size(q)];
      of_query.push_back({bound, first_row + row + hit.row});
      if (of_query.size() < kMostWaiting) continue;
      look(q, best, of_query, scratch);
      if (of_query.size() > kMostWaiting / 2) settle(q, best, of_query, scratch);
      scratch.least[as_size(hit.query)] = least_score(q, block);
    }
  }

  // Measures the k that look nearest and forgets those that are then too far: the limit comes down early at
  // the price of few rows.
  void look(int64_t q, TopK& best, std::vector<Candidate>& waiting, Scratch& scratch) {
    const std::size_t some = std::min(as_size(k_), waiting.size());
    std::partial_sort(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(some), waiting.end());
    measure(q, best, q, waiting, some, scratch);
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(some));
    const double most = limit(q);
    std::erase_if(waiting, [&](const Candidate& c) { return static_cast<double>(c.bound) > most; });
  }

  // The first `some` of `waiting`, ascending by bound.
  // What is near goes to list `list` of `best`.
  void measure(int64_t q, TopK& best, int64_t list, const std::vector<Candidate>& waiting, std::size_t some,
               Scratch& scratch) {
    const float* query = queries_.data() + q * d_;
    int64_t measured = 0;
    const float* code = nullptr;
    for (std::size_t i = 0; i < some; ++i) {
      const double most = limit(q);
      if (static_cast<double>(waiting[i].bound) > most) break;
      if (code == nullptr) code = catalog_.code(waiting[i].row, scratch.code);
      const float* next = nullptr;
      if (i + 1 < some && static_cast<double>(waiting[i + 1].bound) <= most) {
        std::swap(scratch.code, scratch.next_code);
        next = catalog_.code(waiting[i + 1].row, scratch.code);
        cpu::prefetch(next, d_);
      }
      const int64_t row = waiting[i].row;
      const double distance = cpu::squared_distance_within(query, code, d_, most);
      if (!std::isfinite(distance)) {
        throw damaged_error("row " + std::to_string(row) +
                            " of the catalog has a number that is not finite, copy the catalog again or "
                            "encode again with --force");
      }
      if (distance <= most) {
        best.insert(list, {distance, row});
        lower_limit(q, best.limit(list));
      }
      ++measured;
      code = next;
    }
    measured_ += measured;
  }

  bool allowed(int64_t q, int64_t row) const {
    return (options_.allowed.empty() || options_.allowed[as_size(row)] != 0) && !options_.groups.hide(q, row);
  }

  // A row farther than this is not wanted: k nearer ones are known, of one thread or another.
  double limit(int64_t q) const { return limits_[as_size(q)].load(std::memory_order_relaxed); }

  void lower_limit(int64_t q, double most) {
    std::atomic<double>& limit = limits_[as_size(q)];
    double known = limit.load(std::memory_order_relaxed);
    while (most < known && !limit.compare_exchange_weak(known, most, std::memory_order_relaxed)) {
    }
  }

  // Rows of a lower score are farther than the limit. In exact arithmetic, with bytes b and b' of query and
  // row, both of which err by at most their byte_error e:
  //   step |b - b'| - e - e' <= |s - s'| <= stretch |q - r|,   |b - b'|^2 >= |b|^2 - 2 (score - 128 sum of b)
  int32_t least_score(int64_t q, const SketchBlock& block) const {
    const OfQuery& of = of_queries_[as_size(q)];
    const double far =
        (catalog_.sketcher->stretch() * std::sqrt(limit(q)) + of.byte_error + block.byte_error) *
        (1 + kSlack) / catalog_.byte_sketcher->step();
    const double most = far * far * (1 + kSlack);  // |b - b'|^2
    constexpr double kEverything = 4e9;            // no |b - b'|^2 is more
    if (!(most < kEverything)) return std::numeric_limits<int32_t>::min();
    const int64_t twice = of.square + 256 * of.sum - static_cast<int64_t>(most);
    return static_cast<int32_t>((twice + (twice & 1)) / 2);
  }

  // Of the squared distance of a row, by its sketch in float, rounded down; 0 where nothing is known.
  float lower_bound(int64_t q, const SketchBlock& block, const float* sketch) const {
    const float apart = cpu::sketch_distance(sketches_.data() + q * size_, sketch, size_);
    const double least = std::sqrt(cpu::least_sketch_distance(apart, size_));
    const double far =
        (least * (1 - kSlack) - of_queries_[as_size(q)].error - block.error) / catalog_.sketcher->stretch();
    if (!(far > 0)) return 0;
    const double bound = std::min(far * far * (1 - kSlack), 3e38);
    return std::nextafter(static_cast<float>(bound), 0.0F);
  }

  const SketchedCatalog& catalog_;
  const SketchSearchOptions& options_;
  std::span<const float> queries_;  // (count, D)
  int64_t k_, d_ = 0, size_ = 0, stored_ = 0, count_ = 0;
  Order order_;
  std::vector<float> sketches_;              // (count, size)
  std::vector<int8_t> bytes_;                // (count, stored)
  std::vector<OfQuery> of_queries_;          // (count)
  std::vector<std::atomic<double>> limits_;  // (count), squared
  std::vector<Scratch> scratch_;             // for each thread
  std::atomic<int64_t> measured_{0};
};

int64_t share(int64_t index, int64_t of, int64_t total) { return index * total / of; }

}  // namespace

int64_t nearest_by_sketch(const SketchedCatalog& catalog, std::span<const float> queries,
                          const SketchSearchOptions& options, TopK& best, ThreadPool& pool) {
  if (best.queries() * catalog.sketcher->projection().dimension != std::ssize(queries) ||
      (!options.allowed.empty() && std::ssize(options.allowed) != catalog.rows) ||
      !options.groups.fit(best.queries(), catalog.rows)) {
    throw std::invalid_argument("queries, lists, mask and groups do not fit the catalog");
  }
  if (best.k() == 0) return 0;
  Search search(catalog, queries, options, best, pool);
  const int64_t count = search.queries(), threads = pool.threads();
  Waiting waiting(as_size(count));
  if (threads == 1 || count >= threads * kQueriesAThread) {
    const int64_t parts = std::max((count + kQueriesAtOnce - 1) / kQueriesAtOnce, std::min(threads, count));
    pool.for_each(parts, [&](int64_t i, int thread) {
      const Range some{share(i, parts, count), share(i + 1, parts, count)};
      Scratch& scratch = search.scratch(thread);
      search.scan(some, 0, 1, best, waiting, scratch);
      for (int64_t q = some.begin; q < some.end; ++q) search.settle(q, best, waiting[as_size(q)], scratch);
    });
    return search.measured();
  }
  std::vector<TopK> parts(as_size(threads), TopK(count, best.k()));
  std::vector<Waiting> waits(as_size(threads), waiting);
  pool.for_each(threads, [&](int64_t i, int thread) {
    search.scan({0, count}, i, threads, parts[as_size(i)], waits[as_size(i)], search.scratch(thread));
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
