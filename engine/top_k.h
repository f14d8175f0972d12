// The k best rows of each of Q queries, perhaps none beyond a radius, ascending by (squared distance, row).
// The smaller row wins among equals, so the lists do not depend on the order in which rows arrive.
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

// Different queries may be used by different threads at once. A list is a heap with its farthest neighbour in
// front once it holds k, and is sorted when it is asked for: any k up to the catalog costs O(log k) a row.
class TopK {
 public:
  // most: squared distance beyond which no row is wanted.
  TopK(int64_t queries, int64_t k, double most = std::numeric_limits<double>::infinity())
      : k_(k), most_(most), lists_(static_cast<std::size_t>(queries)) {}

  int64_t queries() const { return static_cast<int64_t>(lists_.size()); }
  int64_t k() const { return k_; }
  double most() const { return most_; }

  // At most k neighbours, ascending; valid until the query's next insert.
  std::span<const Neighbour> list(int64_t query) {
    List& list = lists_[static_cast<std::size_t>(query)];
    if (list.heap) {
      std::sort_heap(list.items.begin(), list.items.end());
    } else {
      std::sort(list.items.begin(), list.items.end());
    }
    list.heap = false;
    return list.items;
  }

  // As list, handed over: the query's list is empty afterwards.
  std::vector<Neighbour> take(int64_t query) {
    list(query);
    return std::move(lists_[static_cast<std::size_t>(query)].items);
  }

  // A row farther than this cannot enter the query's list. While the list is short, that is `most`.
  double limit(int64_t query) const {
    const List& list = lists_[static_cast<std::size_t>(query)];
    if (static_cast<int64_t>(list.items.size()) < k_ || k_ == 0) return most_;
    return (list.heap ? list.items.front() : list.items.back()).squared_distance;
  }

  void insert(int64_t query, const Neighbour& candidate) {
    if (k_ == 0 || !(candidate.squared_distance <= most_)) return;
    List& list = lists_[static_cast<std::size_t>(query)];
    if (static_cast<int64_t>(list.items.size()) < k_) {
      list.items.push_back(candidate);
      if (static_cast<int64_t>(list.items.size()) == k_) make_heap(list);
      return;
    }
    if (!list.heap) make_heap(list);
    if (!(candidate < list.items.front())) return;
    std::pop_heap(list.items.begin(), list.items.end());
    list.items.back() = candidate;
    std::push_heap(list.items.begin(), list.items.end());
  }

 private:
  // heap: items form a heap. Otherwise they are in any order while fewer than k, and ascending at k.
  struct List {
    std::vector<Neighbour> items;
    bool heap = false;
  };

  static void make_heap(List& list) {
    std::make_heap(list.items.begin(), list.items.end());
    list.heap = true;
  }

  int64_t k_;
  double most_;
  std::vector<List> lists_;
};

}  // namespace lookalike
