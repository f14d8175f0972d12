// Sketches and the lower bound they give, in extended precision. For any directions P (D, m), any mean:
//   s(b) = [ P^T (b - mean) ; |(b - mean) - P P^T (b - mean)| ]          m + 1 numbers
//   |s(q) - s(b)| <= sqrt(1 + d (1 + d)) |q - b|,  d = |P^T P - I| (Frobenius).
// The square of the left side is at most x^T (P P^T + (I - P P^T)^2) x with x = q - b, by the triangle
// inequality on the last component; with an eigenvalue l of P^T P that matrix has the eigenvalue
// 1 + l (l - 1) <= 1 + (1 + d) d.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace lookalike::reference {

using Extended = long double;

// code, mean (D); directions (m, D), row j the j-th column of P.
inline std::vector<Extended> sketch(std::span<const float> code, std::span<const float> mean,
                                    std::span<const float> directions) {
  const std::size_t d = code.size();
  std::vector<Extended> rest(d), numbers;
  for (std::size_t i = 0; i < d; ++i) rest[i] = Extended{code[i]} - Extended{mean[i]};
  const std::vector<Extended> centred = rest;
  for (std::size_t j = 0; (j + 1) * d <= directions.size(); ++j) {
    Extended sum = 0;
    for (std::size_t i = 0; i < d; ++i) sum += Extended{directions[j * d + i]} * centred[i];
    for (std::size_t i = 0; i < d; ++i) rest[i] -= Extended{directions[j * d + i]} * sum;
    numbers.push_back(sum);
  }
  Extended square = 0;
  for (const Extended value : rest) square += value * value;
  numbers.push_back(std::sqrt(square));
  return numbers;
}

// |P^T P - I|, Frobenius; directions (m, D).
inline Extended orthonormality_defect(std::span<const float> directions, std::size_t dimension) {
  const std::size_t m = directions.size() / dimension;
  Extended sum = 0;
  for (std::size_t a = 0; a < m; ++a) {
    for (std::size_t b = 0; b < m; ++b) {
      Extended dot = a == b ? -1.0L : 0.0L;
      for (std::size_t i = 0; i < dimension; ++i) {
        dot += Extended{directions[a * dimension + i]} * Extended{directions[b * dimension + i]};
      }
      sum += dot * dot;
    }
  }
  return std::sqrt(sum);
}

inline Extended sketch_stretch(Extended defect) { return std::sqrt(1 + defect * (1 + defect)); }

// t(sketch), engine/sketch_bytes.h: the first n - 1 numbers and the length of the rest, each held within
// centre +- 127 step. No two points are farther apart afterwards, as neither a length's change nor a clipped
// number's is more than that of what it is taken from.
inline std::vector<Extended> clipped_sketch(std::span<const float> sketch, std::span<const float> centre,
                                            double step) {
  std::vector<Extended> numbers;
  for (std::size_t i = 0; i < centre.size(); ++i) {
    Extended number = sketch[i];
    if (i + 1 == centre.size()) {
      Extended square = 0;
      for (std::size_t j = i; j < sketch.size(); ++j) square += Extended{sketch[j]} * Extended{sketch[j]};
      number = std::sqrt(square);
    }
    const Extended middle = centre[i], reach = 127 * Extended{step};
    numbers.push_back(std::min(std::max(number, middle - reach), middle + reach));
  }
  return numbers;
}

// f(sketch), engine/sketch_fine.h: each number from its centre, held within 127 of its steps, which brings no
// two points farther from one another.
inline std::vector<Extended> held_sketch(std::span<const float> sketch, std::span<const float> centre,
                                         std::span<const float> step) {
  std::vector<Extended> numbers;
  for (std::size_t i = 0; i < sketch.size(); ++i) {
    const Extended apart = Extended{sketch[i]} - Extended{centre[i]}, reach = 127 * Extended{step[i]};
    numbers.push_back(std::min(std::max(apart, -reach), reach));
  }
  return numbers;
}

template <class Number>
Extended sketch_distance(std::span<const Number> a, std::span<const Number> b) {
  Extended sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Extended difference = Extended{a[i]} - Extended{b[i]};
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

}  // namespace lookalike::reference
