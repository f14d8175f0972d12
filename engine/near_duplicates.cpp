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
constexpr int64_t kMoreAsked = 16;
// Held at one time: 67 MB.
constexpr int64_t kHeldNeighbours = int64_t{1} << 22;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

NearDuplicates::NearDuplicates(LimitedSearch search, CodesOfRows codes, int64_t rows, int64_t dimension,
                               double within)
    : search_(std::move(search)),
      codes_(std::move(codes)),
      rows_(rows),
      dimension_(dimension),
      within_(within) {
  if (!(within >= 0) || !std::isfinite(within))
    throw std::invalid_argument("a radius is finite and not negative");
  parent_.resize(as_size(rows));
  for (int64_t row = 0; row < rows; ++row) parent_[as_size(row)] = row;
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
  parent_[as_size(std::max(a, b))] = std::min(a, b);
}

void NearDuplicates::want(int64_t row) {
  if (std::exchange(wanted_[as_size(row)], uint8_t{1}) == 0) waiting_.push_back(row);
}

void NearDuplicates::find(std::span<const int64_t> rows, const std::function<void(int64_t items)>& report) {
  for (const int64_t row : rows) want(row);
  while (!waiting_.empty()) {
    std::vector<int64_t> block;
    while (!waiting_.empty() && std::ssize(block) < kBlockQueries) {
      if (looked_[as_size(waiting_.back())] == 0) block.push_back(waiting_.back());
      waiting_.pop_back();
    }
    std::ranges::sort(block);
    look(block, kFirstAsked);
    if (report) report(count_);
  }
}

void NearDuplicates::find_all(const std::function<void(int64_t items)>& report) {
  std::vector<int64_t> rows(parent_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(rows.size() - 1 - i);
  find(rows, report);
}

// k neighbours of each row at first. One that has so many is asked again for more.
void NearDuplicates::look(std::span<const int64_t> rows, int64_t k) {
  k = std::min(k, rows_);
  const int64_t block = std::clamp<int64_t>(kHeldNeighbours / k, 1, kBlockQueries);
  std::vector<int64_t> more;
  std::vector<float> codes;
  std::vector<int64_t> asked;
  for (std::size_t next = 0; next < rows.size();) {
    asked.clear();
    for (; next < rows.size() && std::ssize(asked) < block; ++next) {
      if (looked_[as_size(rows[next])] == 0) asked.push_back(rows[next]);
    }
    codes.resize(asked.size() * as_size(dimension_));
    codes_(asked, codes);
    const auto found = search_({codes, {}, dimension_}, {k, within_ * within_, {}});
    for (std::size_t q = 0; q < asked.size(); ++q) {
      const int64_t row = asked[q];
      if (looked_[as_size(row)] != 0) continue;  // its code was an earlier one's
      if (std::ssize(found[q]) == k && k < rows_) {
        more.push_back(row);
        continue;
      }
      for (const Neighbour& neighbour : found[q]) {
        link(row, neighbour.row);
        want(neighbour.row);
        // Equal codes have the same neighbours.
        if (neighbour.squared_distance > 0) continue;
        count_ += std::exchange(looked_[as_size(neighbour.row)], uint8_t{1}) == 0 ? 1 : 0;
      }
    }
  }
  if (!more.empty()) look(more, k * kMoreAsked);
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
  wider.k = std::min(rows, std::min(limits.k, rows) + 16);
  while (!open.empty()) {
    SearchQueries asked;
    asked.dimension = queries.dimension;
    std::vector<float> codes;
    for (const std::size_t q : open) {
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

    std::vector<std::size_t> still_open;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::size_t q = open[i];
      std::set<int64_t> shown;
      if (!queries.self_rows.empty() && queries.self_rows[q] >= 0) {
        shown.insert(duplicates.representative(queries.self_rows[q]));
      }
      std::vector<Neighbour>& result = results[q];
      result.clear();
      for (const Neighbour& neighbour : found[i]) {
        if (std::ssize(result) == limits.k) break;
        if (shown.insert(duplicates.representative(neighbour.row)).second) result.push_back(neighbour);
      }
      const bool all = std::ssize(found[i]) < wider.k || wider.k == rows;
      if (std::ssize(result) < limits.k && !all) still_open.push_back(q);
    }
    open = std::move(still_open);
    wider.k = wider.k > rows / 4 ? rows : wider.k * 4;
  }
  return results;
}

}  // namespace lookalike
