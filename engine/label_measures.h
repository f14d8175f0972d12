// How well neighbours agree with labels that the network never saw.
//
// For a query with label l, its ranking of the N - 1 other items, of which R >= 1 have l:
//   precision@k = (items of l among the first min(k, N - 1)) / min(k, N - 1)
//   average precision = 1/R sum over ranks r of an item of l: (items of l among the first r) / r
// A query whose label no other item has (R = 0) has neither and counts nowhere; it stays in the rankings of
// others. Means are over queries.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/top_k.h"

namespace lookalike {

inline constexpr std::array<int64_t, 3> kPrecisionAt = {1, 5, 10};

struct LabelMeasures {
  int64_t queries = 0;
  std::array<double, kPrecisionAt.size()> precision{};  // at kPrecisionAt, means
  double average_precision = 0;                         // mean
};

class LabelJudge {
 public:
  // labels (N): numbers from 0 on.
  explicit LabelJudge(std::vector<int> labels);

  // One query's ranking: every other item, nearest first. Throws std::invalid_argument for one that is not.
  void add(int64_t query, std::span<const Neighbour> ranking);

  LabelMeasures all() const;
  LabelMeasures of_label(int label) const;

  // What rankings in random order give on average, over all queries:
  //   precision R / (N - 1), average precision p + (1 - p) H(N - 1) / (N - 1) with p = (R - 1) / (N - 2)
  LabelMeasures chance() const;

 private:
  std::vector<int> labels_;
  std::vector<int64_t> sizes_;       // items of each label
  std::vector<LabelMeasures> sums_;  // of each label, over its queries
};

}  // namespace lookalike
