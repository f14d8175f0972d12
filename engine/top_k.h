// The k best rows of each of Q queries, ascending by (squared distance, row). The smaller row wins among
// equals, so the lists do not depend on the order in which rows arrive.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace lookalike {

struct Neighbour {
  double squared_distance = std::numeric_limits<double>::infinity();
  int64_t row = -1;

  friend bool operator<(const Neighbour& a, const Neighbour& b) {
    return a.squared_distance < b.squared_distance ||
           (a.squared_distance == b.squared_distance && a.row < b.row);
  }
  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

class TopK {
 public:
  TopK(int64_t queries, int64_t k) : k_(k), lists_(static_cast<std::size_t>(queries)) {}

  int64_t queries() const { return static_cast<int64_t>(lists_.size()); }
  int64_t k() const { return k_; }

  // At most k neighbours, ascending.
  std::span<const Neighbour> list(int64_t query) const { return lists_[static_cast<std::size_t>(query)]; }

  // A row farther than this cannot enter the query's list.
  double limit(int64_t query) const {
    const auto& list = lists_[static_cast<std::size_t>(query)];
    return static_cast<int64_t>(list.size()) < k_ ? std::numeric_limits<double>::infinity()
                                                  : list.back().squared_distance;
  }

  void insert(int64_t query, const Neighbour& candidate) {
    auto& list = lists_[static_cast<std::size_t>(query)];
    const bool full = static_cast<int64_t>(list.size()) >= k_;
    if (k_ == 0 || (full && !(candidate < list.back()))) return;
    if (full) list.pop_back();
    list.insert(std::upper_bound(list.begin(), list.end(), candidate), candidate);
  }

 private:
  int64_t k_;
  std::vector<std::vector<Neighbour>> lists_;
};

}  // namespace lookalike
