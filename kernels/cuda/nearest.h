// Exact nearest neighbours on the device: queries against rows in host memory, which stream through in parts
// while the part before is searched. Distances are never stored: a filter names the rows that might be near
// (nearest_filter.h), these alone are measured in double and merged (nearest_select.h).
//
// Results are the same bytes for any part, chunk or order: what the filter keeps never misses a row, and what
// is measured does not depend on why it was kept.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace lookalike::cuda {

enum class Filter {
  kAuto,  // none below 8 queries, else fp16, else float where fp16 would lose too much of these rows
  kNone,  // every row is measured
  kFloat,
  kHalf,
};

struct NearestOptions {
  Filter filter = Filter::kAuto;
  std::int64_t part_rows = 16384;  // rows on the device at once, twice: the next part comes meanwhile
  std::int64_t batch = 4096;       // queries on the device at once
};

struct NearestBlock {
  std::span<const float> queries;  // (Q, dimension)
  std::span<const float> rows;     // (M, dimension)
  std::int64_t dimension = 0;
  std::span<const std::uint8_t> allowed;  // (M), zero leaves the row out; empty: all
  // (M) and (Q): a query gets no row of its own group, -1 is none. Both empty: there are no groups.
  std::span<const std::int32_t> row_groups = {}, query_groups = {};
};

class Nearest {
 public:
  // What is farther than limit(query) is not wanted: asked before each part.
  using Limit = std::function<double(std::int64_t query)>;
  // Some of a query's nearest rows of one part, ascending by (squared distance, row); rows count from the
  // block's first. Every row within the limit that is among the block's k nearest is given once.
  using Emit = std::function<void(std::int64_t query, std::span<const double> distances,
                                  std::span<const std::int64_t> rows)>;

  explicit Nearest(const NearestOptions& options = {});
  ~Nearest();
  void run(const NearestBlock& block, std::int64_t k, const Limit& limit, const Emit& emit);

  // Of the last run, for tests and benchmarks.
  struct Counts {
    std::int64_t measured = 0;  // pairs that the filter kept
    std::int64_t repeated = 0;  // chunks whose candidates did not fit and were halved
    std::int64_t passes = 0;
    std::int64_t half_parts = 0, float_parts = 0;  // by the filter that ran
  };
  const Counts& counts() const;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace lookalike::cuda
