// Squared distance as kernels/cpu/distance.h defines it, to the bit, and exact search by looking at every
// row.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/top_k.h"

namespace lookalike::reference {

// a, b (D). Eight accumulators, element i into i % 8, added pairwise.
inline double squared_distance(std::span<const float> a, std::span<const float> b) {
  std::array<double, 8> acc{};
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    const double square = difference * difference;
    acc[i % 8] += square;
  }
  return ((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7]));
}

// The same sum in extended precision, in plain order: what the definition above approximates.
inline long double exact_squared_distance(std::span<const float> a, std::span<const float> b) {
  long double sum = 0.0L;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double difference = static_cast<long double>(a[i]) - static_cast<long double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

// The k nearest of rows (M, D) to query (D), ascending by (distance, row); fewer when M < k. allowed (M)
// leaves rows out where it is zero; empty allows all.
inline std::vector<Neighbour> nearest(std::span<const float> query, std::span<const float> rows, int64_t k,
                                      std::span<const uint8_t> allowed = {}) {
  std::vector<Neighbour> all;
  for (std::size_t row = 0; (row + 1) * query.size() <= rows.size(); ++row)
    if (allowed.empty() || allowed[row] != 0)
      all.push_back({squared_distance(query, rows.subspan(row * query.size(), query.size())),
                     static_cast<int64_t>(row)});
  std::sort(all.begin(), all.end());
  if (static_cast<int64_t>(all.size()) > k) all.resize(static_cast<std::size_t>(k));
  return all;
}

}  // namespace lookalike::reference
