#include "engine/sketch_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/sketch_bounds.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/sketch_distance.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

constexpr int64_t kGroup = cpu::kSketchGroup;

// 512 sketches of 128 bytes stay in the second-level cache while groups pass; six are a tile of the scan.
static_assert(kSketchQueriesAtOnce == 512 && kSketchQueriesAThread == 6);

constexpr std::size_t kMostWaiting = 2048;
constexpr int64_t kAhead = 8;  // fine sketches that are asked for at once
// Up to this k a thread's first blocks give a first limit.
constexpr int64_t kMostSeeds = 256;
constexpr int64_t kSeedBlocks = 8;
// Blocks before the first measuring of what waits, and how many times as many before each further one.
constexpr int64_t kFirstLook = 32;
constexpr int64_t kLookGrowth = 4;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// A row that is still to be measured; its squared distance is at least `bound`. (In a seed's heap the bound
// is minus the score.)
struct Candidate {
  float bound;
  float fine_error;  // of its block, rounded up
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
  std::vector<int8_t> fine;
  std::vector<float> code, next_code;
  std::vector<int32_t> least;
  std::vector<cpu::SketchHit> hits;
};

// Of a query: rows with the bound of the scan, rows with that of their fine sketches, and those of the seed,
// ascending, which are measured.
struct Waiting {
  std::vector<Candidate> rough, near;
  std::vector<int64_t> seeded;
};

// The `some` lowest bounds to the end, in any order.
void lowest_last(std::vector<Candidate>& all, std::size_t some) {
  if (some == all.size()) return;
  const auto higher = [](const Candidate& a, const Candidate& b) { return b < a; };
  std::nth_element(all.begin(), all.end() - static_cast<std::ptrdiff_t>(some), all.end(), higher);
}

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
      : catalog_(catalog),
        options_(options),
        queries_(queries),
        bounds_(catalog, queries, pool),
        k_(best.k()),
        order_(catalog.blocks()) {
    d_ = catalog.sketcher->projection().dimension;
    size_ = catalog.sketcher->size();
    count_ = best.queries();
    limits_ = std::vector<std::atomic<double>>(as_size(count_));
    for (int64_t q = 0; q < count_; ++q) limits_[as_size(q)] = std::min(best.limit(q), options.most);
    scratch_.resize(as_size(pool.threads()));
    for (Scratch& scratch : scratch_) {
      scratch.fine.resize(as_size(kAhead * size_));
      scratch.code.resize(as_size(d_));
      scratch.next_code.resize(as_size(d_));
    }
  }

  int64_t queries() const { return count_; }
  int64_t measured() const { return measured_; }
  Scratch& scratch(int thread) { return scratch_[static_cast<std::size_t>(thread)]; }

  // Blocks `first`, first + step, ... of the order for some queries: their nearest rows go to `best`, which,
  // as `waiting`, counts from query 0.
  void scan(Range queries, int64_t first, int64_t step, TopK& best, std::vector<Waiting>& waiting,
            Scratch& scratch) {
    scratch.least.resize(as_size(queries.size()));
    scratch.hits.resize(as_size(queries.size() * kGroup));
    if (k_ <= kMostSeeds) seed(queries, first, step, best, waiting, scratch);
    int64_t seen = 0, next_look = kFirstLook;
    for (int64_t i = first; i < catalog_.blocks(); i += step) {
      const int64_t b = order_[i];
      const SketchBlock block = catalog_.block(b, scratch.block);
      for (int64_t q = queries.begin; q < queries.end; ++q) {
        scratch.least[as_size(q - queries.begin)] = bounds_.least_score(q, limit(q), block);
      }
      for (int64_t row = 0; row < block.rows; row += kGroup) {
        scan_group(queries, block, b * kSketchBlockRows, row, best, waiting, scratch);
      }
      if (++seen < next_look) continue;
      next_look = seen * kLookGrowth;
      for (int64_t q = queries.begin; q < queries.end; ++q) make_room(q, best, waiting[as_size(q)], scratch);
    }
    for (int64_t q = queries.begin; q < queries.end; ++q) {
      settle(q, best, waiting[as_size(q)], scratch);
      waiting[as_size(q)] = {};
    }
  }

 private:
  // Hits of the group at `row` of a block.
  int64_t hits_of_group(Range queries, const SketchBlock& block, int64_t row, Scratch& scratch) const {
    return cpu::scan_sketches(bounds_.bytes(queries.begin), queries.size(), bounds_.stored(),
                              block.bytes.data() + row * bounds_.stored(), block.halves.data() + row,
                              scratch.least.data(), scratch.hits.data());
  }

  // Measures, of the first blocks, k rows of each query that look nearest: later ones have to come near them.
  void seed(Range queries, int64_t first, int64_t step, TopK& best, std::vector<Waiting>& waiting,
            Scratch& scratch) {
    const int64_t end = std::min(catalog_.blocks(), first + kSeedBlocks * step);
    std::fill(scratch.least.begin(), scratch.least.end(), std::numeric_limits<int32_t>::min());
    for (int64_t i = first; i < end; i += step) {
      const int64_t first_row = order_[i] * kSketchBlockRows;
      const SketchBlock block = catalog_.block(order_[i], scratch.block);
      const float fine_error = SketchBounds::rounded_up(block.fine_error);
      for (int64_t row = 0; row < block.rows; row += kGroup) {
        const int64_t found = hits_of_group(queries, block, row, scratch);
        for (int64_t h = 0; h < found; ++h) {
          const cpu::SketchHit& hit = scratch.hits[as_size(h)];
          const int64_t q = queries.begin + hit.query, of_catalog = first_row + row + hit.row;
          if (row + hit.row >= block.rows || !allowed(q, of_catalog)) continue;
          // A heap, the lowest score in front.
          std::vector<Candidate>& highest = waiting[as_size(q)].rough;
          highest.push_back({-static_cast<float>(hit.score), fine_error, of_catalog});
          std::push_heap(highest.begin(), highest.end());
          if (std::ssize(highest) > 2 * k_) {
            std::pop_heap(highest.begin(), highest.end());
            highest.pop_back();
            scratch.least[as_size(hit.query)] = static_cast<int32_t>(-highest.front().bound);
          }
        }
      }
    }
    for (int64_t q = queries.begin; q < queries.end; ++q) {
      Waiting& of = waiting[as_size(q)];
      refine(q, of, of.rough.size(), scratch);
      const std::size_t measured = measure(q, best, of.near, as_size(k_), scratch);
      for (std::size_t i = 0; i < measured; ++i) of.seeded.push_back(of.near[i].row);
      std::sort(of.seeded.begin(), of.seeded.end());
      of.near.clear();  // the scan comes to the others again
    }
  }

  void scan_group(Range queries, const SketchBlock& block, int64_t first_row, int64_t row, TopK& best,
                  std::vector<Waiting>& waiting, Scratch& scratch) {
    const int64_t found = hits_of_group(queries, block, row, scratch);
    const float fine_error = SketchBounds::rounded_up(block.fine_error);
    for (int64_t i = 0; i < found; ++i) {
      const cpu::SketchHit& hit = scratch.hits[as_size(i)];
      const int64_t q = queries.begin + hit.query, of_catalog = first_row + row + hit.row;
      if (row + hit.row >= block.rows || !allowed(q, of_catalog)) continue;
      Waiting& of = waiting[as_size(q)];
      of.rough.push_back({bounds_.of_score(q, block, hit.score), fine_error, of_catalog});
      if (of.rough.size() < kMostWaiting) continue;
      make_room(q, best, of, scratch);
      scratch.least[as_size(hit.query)] = bounds_.least_score(q, limit(q), block);
    }
  }

  // Measures k of those that look nearest and forgets those that are then too far: the limit comes down early
  // at the price of few rows.
  void look(int64_t q, TopK& best, Waiting& waiting, Scratch& scratch) {
    forget(q, waiting.rough);
    refine(q, waiting, std::min(2 * as_size(k_), waiting.rough.size()), scratch);
    const std::size_t some = std::min(as_size(k_), waiting.near.size());
    measure(q, best, waiting.near, some, scratch);
    waiting.near.erase(waiting.near.begin(), waiting.near.begin() + static_cast<std::ptrdiff_t>(some));
    forget(q, waiting.near);
    forget(q, waiting.rough);
  }

  void make_room(int64_t q, TopK& best, Waiting& waiting, Scratch& scratch) {
    look(q, best, waiting, scratch);
    if (waiting.rough.size() + waiting.near.size() > kMostWaiting / 2) settle(q, best, waiting, scratch);
  }

  // Measures all that may be near.
  void settle(int64_t q, TopK& best, Waiting& waiting, Scratch& scratch) {
    look(q, best, waiting, scratch);
    refine(q, waiting, waiting.rough.size(), scratch);
    measure(q, best, waiting.near, waiting.near.size(), scratch);
    waiting.near.clear();
  }

  void forget(int64_t q, std::vector<Candidate>& waiting) const {
    const double most = limit(q);
    std::erase_if(waiting, [&](const Candidate& c) { return static_cast<double>(c.bound) > most; });
  }

  // Compares the fine sketches of the `some` lowest of `rough`, and moves to `near` what they let through.
  void refine(int64_t q, Waiting& waiting, std::size_t some, Scratch& scratch) {
    lowest_last(waiting.rough, some);
    const auto lowest = std::span(waiting.rough).last(some);
    // Sketches are on their way into the cache while those before them are compared.
    const int8_t* fine[kAhead] = {};
    const auto count = static_cast<int64_t>(some);
    for (int64_t i = 0; i < count + kAhead - 1; ++i) {
      if (i < count) {
        const int64_t place = i % kAhead;
        fine[place] = catalog_.fine(lowest[as_size(i)].row,
                                    std::span(scratch.fine).subspan(as_size(place * size_), as_size(size_)));
        cpu::prefetch(fine[place], size_);
      }
      const int64_t ready = i - (kAhead - 1);
      if (ready < 0) continue;
      Candidate candidate = lowest[as_size(ready)];
      candidate.bound = bounds_.of_fine(q, candidate.fine_error, fine[ready % kAhead]);
      if (static_cast<double>(candidate.bound) > limit(q) ||
          std::binary_search(waiting.seeded.begin(), waiting.seeded.end(), candidate.row)) {
        continue;
      }
      waiting.near.push_back(candidate);
    }
    waiting.rough.resize(waiting.rough.size() - some);
  }

  // Puts the `some` lowest of `near` in front, ascending, and measures them until the bound alone says too
  // far. Returns how many it measured.
  std::size_t measure(int64_t q, TopK& best, std::vector<Candidate>& near, std::size_t some,
                      Scratch& scratch) {
    some = std::min(some, near.size());
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(some), near.end());
    const float* query = queries_.data() + q * d_;
    std::size_t measured = 0;
    const float* code = nullptr;
    for (; measured < some; ++measured) {
      const double most = limit(q);
      if (static_cast<double>(near[measured].bound) > most) break;
      if (code == nullptr) code = catalog_.code(near[measured].row, scratch.code);
      const float* next = nullptr;
      if (measured + 1 < some && static_cast<double>(near[measured + 1].bound) <= most) {
        std::swap(scratch.code, scratch.next_code);
        next = catalog_.code(near[measured + 1].row, scratch.code);
      }
      const int64_t row = near[measured].row;
      const double distance = cpu::squared_distance_within(query, code, d_, most, next);
      if (!std::isfinite(distance)) {
        throw damaged_error("row " + std::to_string(row) +
                            " of the catalog has a number that is not finite, copy the catalog again or "
                            "encode again with --force");
      }
      if (distance <= most) {
        best.insert(q, {distance, row});
        lower_limit(q, best.limit(q));
      }
      code = next;
    }
    measured_ += static_cast<int64_t>(measured);
    return measured;
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

  const SketchedCatalog& catalog_;
  const SketchSearchOptions& options_;
  std::span<const float> queries_;  // (count, D)
  SketchBounds bounds_;
  int64_t k_, d_ = 0, size_ = 0, count_ = 0;
  Order order_;
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
  if (threads == 1 || count >= threads * kSketchQueriesAThread) {
    std::vector<Waiting> waiting(as_size(count));
    const int64_t parts =
        std::max((count + kSketchQueriesAtOnce - 1) / kSketchQueriesAtOnce, std::min(threads, count));
    pool.for_each(parts, [&](int64_t i, int thread) {
      search.scan({share(i, parts, count), share(i + 1, parts, count)}, 0, 1, best, waiting,
                  search.scratch(thread));
    });
    return search.measured();
  }
  std::vector<TopK> parts(as_size(threads), TopK(count, best.k()));
  pool.for_each(threads, [&](int64_t i, int thread) {
    std::vector<Waiting> waiting(as_size(count));
    search.scan({0, count}, i, threads, parts[as_size(i)], waiting, search.scratch(thread));
  });
  for (TopK& part : parts) {
    for (int64_t q = 0; q < count; ++q) {
      for (const Neighbour& neighbour : part.list(q)) best.insert(q, neighbour);
    }
  }
  return search.measured();
}

}  // namespace lookalike
