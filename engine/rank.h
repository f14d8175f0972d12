// Order statistics of a sample.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace lookalike {

// The value that `percent` of the others do not pass; values, at least one, are left in another order.
inline double value_at_percent(std::span<double> values, std::size_t percent) {
  const auto rank = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * percent / 100);
  std::nth_element(values.begin(), rank, values.end());
  return *rank;
}

}  // namespace lookalike
