// Precision and average precision by their definitions, in extended precision: engine/label_measures.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lookalike::reference {

// relevant[i]: whether the neighbour of rank i + 1 has the query's label.
inline long double precision_at(const std::vector<bool>& relevant, std::size_t k) {
  const std::size_t seen = std::min(k, relevant.size());
  const auto hits = std::count(relevant.begin(), relevant.begin() + static_cast<std::ptrdiff_t>(seen), true);
  return static_cast<long double>(hits) / static_cast<long double>(seen);
}

// The mean, over the relevant neighbours, of the precision at their ranks.
inline long double average_precision(const std::vector<bool>& relevant) {
  long double sum = 0, hits = 0;
  for (std::size_t i = 0; i < relevant.size(); ++i) {
    if (!relevant[i]) continue;
    sum += precision_at(relevant, i + 1);
    ++hits;
  }
  return sum / hits;
}

}  // namespace lookalike::reference
