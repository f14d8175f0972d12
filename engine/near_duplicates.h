// Groups of near-duplicates: two items are linked where their distance is at most `within`, and a group is
// all that links lead to (single linkage). So every item of a group has another one of it that near; a long
// chain may be farther from end to end. The first row of a group represents it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/search.h"

namespace lookalike {

// As search() of one catalog.
using LimitedSearch = std::function<std::vector<std::vector<Neighbour>>(const SearchQueries& queries,
                                                                        const SearchLimits& limits)>;
// The codes (count, D) of rows, in their order.
using CodesOfRows = std::function<void(std::span<const int64_t> rows, std::span<float> codes)>;

// What the groups of a catalog take, at most, and search_collapsed of so many queries with them: some numbers
// of each row, and neighbours while they grow and are put together.
int64_t near_duplicates_bytes(int64_t rows, int64_t queries);

class NearDuplicates {
 public:
  // rows, dimension: of the catalog; within: Euclidean, finite and not negative.
  NearDuplicates(LimitedSearch search, CodesOfRows codes, int64_t rows, int64_t dimension, double within);

  // Finds the whole group of each of these rows, by a radius search for each of its items whose code is a new
  // one. report (items looked at so far) is called between searches and throws to stop.
  void find(std::span<const int64_t> rows, const std::function<void(int64_t items)>& report);
  void find_all(const std::function<void(int64_t items)>& report);

  // The first row of a group that was found.
  int64_t representative(int64_t row);
  int64_t rows() const { return rows_; }  // of the catalog

  // Groups that were found and have two items or more, by their first rows; ascending rows.
  std::vector<std::vector<int64_t>> groups();

 private:
  void look(std::span<const int64_t> rows, const std::function<void(int64_t items)>& report);
  void join_equal(std::span<const int64_t> rows, std::span<const float> codes);
  RowGroups groups_beyond(int64_t listed, std::span<const int64_t> rows);
  void take(int64_t row, std::span<const Neighbour> found);
  bool done(int64_t row);
  void finish(int64_t row);
  void link(int64_t a, int64_t b);
  void want(int64_t row);

  LimitedSearch search_;
  CodesOfRows codes_;
  int64_t rows_, dimension_;
  double most_;                   // squared distance of a link
  std::vector<int64_t> parent_;   // (rows): towards the group's first row
  std::vector<int64_t> sizes_;    // (rows): of the group that a first row stands for
  std::vector<uint8_t> wanted_;   // (rows): that its neighbours are looked for, or were
  std::vector<uint8_t> looked_;   // (rows): that they were, or those of a row of equal code
  std::vector<int64_t> waiting_;  // wanted and not looked at
  std::vector<int32_t> row_groups_, query_groups_;
  int64_t count_ = 0;  // of looked_
};

// Neighbours asked for at first beyond those wanted, as some will be hidden.
inline constexpr int64_t kMoreToCollapse = 16;

// search() with one item of each group in a query's list, the nearest; the group of a query's own row is left
// out with it. Groups of the rows that are met are found. At most some 70 MB of neighbours are held beside
// the result.
std::vector<std::vector<Neighbour>> search_collapsed(const LimitedSearch& search,
                                                     const SearchQueries& queries, const SearchLimits& limits,
                                                     NearDuplicates& duplicates,
                                                     const std::function<void(int64_t items)>& report);

}  // namespace lookalike
