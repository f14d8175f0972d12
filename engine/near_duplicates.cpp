#include "engine/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

namespace lookalike {
namespace {

constexpr int64_t kBlockQueries = 1024;
// Neighbours asked for at first: few items have more that near.
constexpr int64_t kFirstAsked = 64;
// Of one item that has more, and of a block's items together, at one time: 1 MB and 17 MB.
constexpr int64_t kMoreAsked = 65'536, kHeldOfABlock = int64_t{1} << 20;
// Held at one time by search_collapsed: 67 MB.
constexpr int64_t kHeldNeighbours = int64_t{1} << 22;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// The largest square whose root is at most `distance`: distances are compared as they are printed.
double largest_square(double distance) {
  double square = distance * distance;
  while (std::sqrt(square) > distance) square = std::nextafter(square, 0.0);
  for (double next = square; std::sqrt(next) <= distance; next = std::nextafter(square, HUGE_VAL))
    square = next;
  return square;
}

}  // namespace

int64_t near_duplicates_bytes(int64_t rows, int64_t queries) {
  const auto most = [](int64_t some, int64_t each, int64_t limit) {  // without passing 64 bits
    return std::min(std::min(some, limit) * std::min(each, limit), limit);
  };
  constexpr int64_t kRowBytes = 54, kGrowth = 2, kCopies = 3;
  const int64_t neighbours =
      kGrowth * most(queries, rows, kHeldNeighbours) + kCopies * most(rows, rows, kHeldOfABlock);
  return kRowBytes * rows + neighbours * static_cast<int64_t>(sizeof(Neighbour));
}

NearDuplicates::NearDuplicates(LimitedSearch search, CodesOfRows codes, int64_t rows, int64_t dimension,
                               double within)
    : search_(std::move(search)), codes_(std::move(codes)), rows_(rows), dimension_(dimension) {
  if (!(within >= 0) || !std::isfinite(within))
    throw std::invalid_argument("a radius is finite and not negative");
  most_ = largest_square(within);
  parent_.resize(as_size(rows));
  for (int64_t row = 0; row < rows; ++row) parent_[as_size(row)] = row;
  sizes_.assign(parent_.size(), 1);
  wanted_.resize(parent_.size());
  looked_.resize(parent_.size());
}

int64_t NearDuplicates::representative(int64_t row) {
  int64_t first = row;
  while (parent_[as_size(first)] != first) first = parent_[as_size(first)];
  while (parent_[as_size(row)] != first) row = std::exchange(parent_[as_size(row)], first);
  return first;
}

void NearDuplicates::link(int64_t a, int64_t b) {
  a = representative(a);
  b = representative(b);
  if (a == b) return;
  parent_[as_size(std::max(a, b))] = std::min(a, b);
  sizes_[as_size(std::min(a, b))] += sizes_[as_size(std::max(a, b))];
}

void NearDuplicates::want(int64_t row) {
  if (std::exchange(wanted_[as_size(row)], uint8_t{1}) == 0) waiting_.push_back(row);
}

// Whether nothing is left to find for a row: its code was another's, or its group has every row.
bool NearDuplicates::done(int64_t row) {
  if (looked_[as_size(row)] == 0 && sizes_[as_size(representative(row))] == rows_) finish(row);
  return looked_[as_size(row)] != 0;
}

void NearDuplicates::finish(int64_t row) {
  count_ += std::exchange(looked_[as_size(row)], uint8_t{1}) == 0 ? 1 : 0;
}

void NearDuplicates::find(std::span<const int64_t> rows, const std::function<void(int64_t items)>& report) {
  for (const int64_t row : rows) want(row);
  std::vector<int64_t> block;
  while (!waiting_.empty()) {
    block.clear();
    while (!waiting_.empty() && std::ssize(block) < kBlockQueries) {
      if (!done(waiting_.back())) block.push_back(waiting_.back());
      waiting_.pop_back();
    }
    std::ranges::sort(block);
    look(block, report);
    if (report) report(count_);
  }
}

void NearDuplicates::find_all(const std::function<void(int64_t items)>& report) {
  std::vector<int64_t> rows(parent_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(rows.size() - 1 - i);
  find(rows, report);
}

void NearDuplicates::take(int64_t row, std::span<const Neighbour> found) {
  for (const Neighbour& neighbour : found) {
    link(row, neighbour.row);
    want(neighbour.row);
  }
}

void NearDuplicates::look(std::span<const int64_t> rows, const std::function<void(int64_t items)>& report) {
  std::vector<int64_t> open(rows.begin(), rows.end());
  std::vector<float> codes(open.size() * as_size(dimension_));
  codes_(open, codes);
  join_equal(open, codes);
  const auto keep_open = [&](const std::function<bool(std::size_t)>& stays) {
    std::size_t kept = 0;
    for (std::size_t q = 0; q < open.size(); ++q) {
      if (!stays(q)) continue;
      open[kept] = open[q];
      std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(q * as_size(dimension_)), dimension_,
                  codes.begin() + static_cast<std::ptrdiff_t>(kept * as_size(dimension_)));
      ++kept;
    }
    open.resize(kept);
    codes.resize(kept * as_size(dimension_));
  };
  keep_open([&](std::size_t q) { return !done(open[q]); });
  int64_t k = std::min(kFirstAsked, rows_), listed = kFirstAsked;
  while (!open.empty()) {
    const auto found = search_({codes, {}, dimension_}, {k, most_, {}, groups_beyond(listed, open)});
    std::vector<uint8_t> more(open.size());
    for (std::size_t q = 0; q < open.size(); ++q) {
      const int64_t row = open[q];
      if (done(row)) continue;
      take(row, found[q]);
      // Equal codes have the same neighbours.
      for (const Neighbour& neighbour : found[q]) {
        if (neighbour.squared_distance == 0 && neighbour.row != row) finish(neighbour.row);
      }
      if (std::ssize(found[q]) == k) {
        more[q] = 1;
      } else {
        finish(row);
      }
    }
    keep_open([&](std::size_t q) { return more[q] != 0 && !done(open[q]); });
    listed = 0;
    const int64_t most = kHeldOfABlock / std::max<int64_t>(1, std::ssize(open));
    k = std::min({rows_, 4 * k, most, kMoreAsked});
    if (report) report(count_);
  }
}

// Of rows with one code the first is looked at for all.
void NearDuplicates::join_equal(std::span<const int64_t> rows, std::span<const float> codes) {
  const std::size_t bytes = as_size(dimension_) * sizeof(float);
  const auto compare = [&](std::size_t a, std::size_t b) {
    return std::memcmp(codes.data() + a * as_size(dimension_), codes.data() + b * as_size(dimension_), bytes);
  };
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int order_of_codes = compare(a, b);
    return order_of_codes < 0 || (order_of_codes == 0 && a < b);
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (compare(order[i - 1], order[i]) != 0) continue;
    link(rows[order[i - 1]], rows[order[i]]);
    finish(rows[order[i]]);
  }
}

// The groups of these rows that have more than `listed`: what they have need not be found again.
RowGroups NearDuplicates::groups_beyond(int64_t listed, std::span<const int64_t> rows) {
  const auto is_large = [&](int64_t row) { return sizes_[as_size(representative(row))] > listed; };
  if (std::ranges::none_of(rows, is_large)) return {};
  row_groups_.assign(parent_.size(), -1);
  query_groups_.assign(rows.size(), -1);
  int32_t next = 0;
  for (std::size_t q = 0; q < rows.size(); ++q) {
    if (!is_large(rows[q])) continue;
    int32_t& number = row_groups_[as_size(representative(rows[q]))];
    if (number < 0) number = next++;
    query_groups_[q] = number;
  }
  // A group's first row is its own representative, and has its number.
  for (int64_t row = 0; row < rows_; ++row) {
    row_groups_[as_size(row)] = row_groups_[as_size(representative(row))];
  }
  return {row_groups_, query_groups_};
}

std::vector<std::vector<int64_t>> NearDuplicates::groups() {
  std::vector<std::vector<int64_t>> groups;
  std::vector<int64_t> number(parent_.size(), -1);
  for (int64_t row = 0; row < rows_; ++row) {
    const int64_t first = representative(row);
    if (first == row) continue;
    if (number[as_size(first)] < 0) {
      number[as_size(first)] = std::ssize(groups);
      groups.push_back({first});
    }
    groups[as_size(number[as_size(first)])].push_back(row);
  }
  std::ranges::sort(groups);
  return groups;
}

namespace {

std::vector<Neighbour> nearest_of_groups(std::span<const Neighbour> found, int64_t own_row, int64_t k,
                                         NearDuplicates& duplicates) {
  std::set<int64_t> shown;
  if (own_row >= 0) shown.insert(duplicates.representative(own_row));
  std::vector<Neighbour> nearest;
  for (const Neighbour& neighbour : found) {
    if (std::ssize(nearest) == k) break;
    if (shown.insert(duplicates.representative(neighbour.row)).second) nearest.push_back(neighbour);
  }
  return nearest;
}

}  // namespace

std::vector<std::vector<Neighbour>> search_collapsed(const LimitedSearch& search,
                                                     const SearchQueries& queries, const SearchLimits& limits,
                                                     NearDuplicates& duplicates,
                                                     const std::function<void(int64_t items)>& report) {
  const auto count = static_cast<std::size_t>(std::ssize(queries.codes) / queries.dimension);
  const auto d = static_cast<std::size_t>(queries.dimension);
  std::vector<std::vector<Neighbour>> results(count);
  std::vector<std::size_t> open(count);
  for (std::size_t q = 0; q < count; ++q) open[q] = q;
  std::vector<int64_t> own;
  std::ranges::copy_if(queries.self_rows, std::back_inserter(own), [](int64_t row) { return row >= 0; });
  duplicates.find(own, report);

  const int64_t rows = duplicates.rows();
  SearchLimits wider = limits;
  wider.k = std::min(rows, std::min(limits.k, rows) + kMoreToCollapse);
  while (!open.empty()) {
    std::vector<std::size_t> still_open;
    const auto at_once =
        static_cast<std::size_t>(std::max<int64_t>(1, kHeldNeighbours / std::max<int64_t>(1, wider.k)));
    for (std::size_t first = 0; first < open.size(); first += at_once) {
      const auto piece = std::span(open).subspan(first, std::min(at_once, open.size() - first));
      SearchQueries asked;
      asked.dimension = queries.dimension;
      std::vector<float> codes;
      for (const std::size_t q : piece) {
        const auto code = queries.codes.subspan(q * d, d);
        codes.insert(codes.end(), code.begin(), code.end());
        if (!queries.self_rows.empty()) asked.self_rows.push_back(queries.self_rows[q]);
      }
      asked.codes = codes;
      const auto found = search(asked, wider);
      std::vector<int64_t> met;
      for (const auto& list : found) {
        for (const Neighbour& neighbour : list) met.push_back(neighbour.row);
      }
      duplicates.find(met, report);
      for (std::size_t i = 0; i < piece.size(); ++i) {
        const std::size_t q = piece[i];
        const int64_t own_row = queries.self_rows.empty() ? -1 : queries.self_rows[q];
        results[q] = nearest_of_groups(found[i], own_row, limits.k, duplicates);
        const bool all = std::ssize(found[i]) < wider.k || wider.k == rows;
        if (std::ssize(results[q]) < limits.k && !all) still_open.push_back(q);
      }
    }
    open = std::move(still_open);
    wider.k = wider.k > rows / 4 ? rows : wider.k * 4;
  }
  return results;
}

}  // namespace lookalike
