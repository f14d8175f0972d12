#include "engine/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

namespace lookalike {
namespace {

constexpr int64_t kBlockQueries = 1024;
// Neighbours asked for at first: few items have more that near.
constexpr int64_t kFirstAsked = 64;
// Of one item that has more, at one time: 1 MB.
constexpr int64_t kMoreAsked = 65'536;
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
  if (rows.empty()) return;
  const int64_t k = std::min(kFirstAsked, rows_);
  std::vector<float> codes(rows.size() * as_size(dimension_));
  codes_(rows, codes);
  const auto found = search_({codes, {}, dimension_}, {k, most_, {}});
  for (std::size_t q = 0; q < rows.size(); ++q) {
    if (done(rows[q])) continue;
    take(rows[q], found[q]);
    if (std::ssize(found[q]) == k) {
      look_outside(rows[q], std::span(codes).subspan(q * as_size(dimension_), as_size(dimension_)), report);
    }
    // Equal codes have the same neighbours.
    for (const Neighbour& neighbour : found[q]) {
      if (neighbour.squared_distance == 0) finish(neighbour.row);
    }
    finish(rows[q]);
  }
}

// All neighbours of a row that are not in its group yet, some at a time.
void NearDuplicates::look_outside(int64_t row, std::span<const float> code,
                                  const std::function<void(int64_t items)>& report) {
  std::vector<uint8_t> allowed(parent_.size());
  while (sizes_[as_size(representative(row))] < rows_) {
    if (report) report(count_);
    const int64_t group = representative(row);
    for (int64_t other = 0; other < rows_; ++other) {
      allowed[as_size(other)] = representative(other) == group ? 0 : 1;
    }
    const auto found = search_({code, {}, dimension_}, {std::min(kMoreAsked, rows_), most_, allowed});
    if (found.front().empty()) return;
    take(row, found.front());
  }
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
