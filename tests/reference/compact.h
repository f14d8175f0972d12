// Compact codes in extended precision.
//
//   mean = sum_i c_i / n;  covariance = sum_i (c_i - mean) (c_i - mean)^T / n = V diag(l) V^T, l descending
//   y = V_m^T (c - mean),  z_j = y_j / sqrt(l_j), 0 where l_j is 0,  compact(c) = z / |z|, 0 where |z| is 0
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace lookalike::reference {

using Extended = long double;

struct PrincipalDirections {
  std::vector<Extended> mean;                     // (D)
  std::vector<std::vector<Extended>> directions;  // (D) of (D), the largest variance first
  std::vector<Extended> variances;                // (D)
};

// Eigenvectors and values of a symmetric matrix (n, n), the largest first: Jacobi's rotations, each of which
// makes one element off the diagonal zero.
inline std::pair<std::vector<std::vector<Extended>>, std::vector<Extended>> eigen(
    std::vector<std::vector<Extended>> a) {
  const std::size_t n = a.size();
  std::vector<std::vector<Extended>> v(n, std::vector<Extended>(n, 0));
  for (std::size_t i = 0; i < n; ++i) v[i][i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a[p][q] == 0) continue;
        const Extended theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const Extended t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const Extended c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (std::size_t k = 0; k < n; ++k) {
          const Extended x = a[k][p], y = a[k][q];
          a[k][p] = c * x - s * y;
          a[k][q] = s * x + c * y;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const Extended x = a[p][k], y = a[q][k];
          a[p][k] = c * x - s * y;
          a[q][k] = s * x + c * y;
          const Extended vx = v[p][k], vy = v[q][k];
          v[p][k] = c * vx - s * vy;
          v[q][k] = s * vx + c * vy;
        }
      }
    }
  }
  std::pair<std::vector<std::vector<Extended>>, std::vector<Extended>> sorted;
  std::vector<bool> taken(n, false);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t best = n;
    for (std::size_t j = 0; j < n; ++j) {
      if (!taken[j] && (best == n || a[j][j] > a[best][best])) best = j;
    }
    taken[best] = true;
    sorted.first.push_back(v[best]);
    sorted.second.push_back(a[best][best]);
  }
  return sorted;
}

// codes (n, D)
inline PrincipalDirections principal_directions(std::span<const float> codes, std::size_t dimension) {
  const std::size_t n = codes.size() / dimension;
  PrincipalDirections result;
  result.mean.assign(dimension, 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    result.mean[i % dimension] += Extended{codes[i]} / static_cast<Extended>(n);
  }
  std::vector<std::vector<Extended>> covariance(dimension, std::vector<Extended>(dimension, 0));
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t i = 0; i < dimension; ++i) {
      for (std::size_t j = 0; j < dimension; ++j) {
        covariance[i][j] += (Extended{codes[r * dimension + i]} - result.mean[i]) *
                            (Extended{codes[r * dimension + j]} - result.mean[j]) / static_cast<Extended>(n);
      }
    }
  }
  std::tie(result.directions, result.variances) = eigen(std::move(covariance));
  return result;
}

// code, mean (D); directions (m, D); deviations (m).
inline std::vector<Extended> compact(std::span<const float> code, std::span<const Extended> mean,
                                     const std::vector<std::vector<Extended>>& directions,
                                     std::span<const Extended> deviations) {
  std::vector<Extended> z;
  Extended square = 0;
  for (std::size_t j = 0; j < deviations.size(); ++j) {
    Extended y = 0;
    for (std::size_t i = 0; i < code.size(); ++i) y += directions[j][i] * (Extended{code[i]} - mean[i]);
    z.push_back(deviations[j] > 0 ? y / deviations[j] : 0);
    square += z.back() * z.back();
  }
  for (Extended& value : z) value = square > 0 ? value / std::sqrt(square) : 0;
  return z;
}

}  // namespace lookalike::reference
