// Catalogs and queries for the search by sketches, and what a brute force finds.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "engine/sketch_search.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike::test::sketches {

using Rows = std::vector<float>;
using Lists = std::vector<std::vector<Neighbour>>;

inline double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * std::numbers::pi * random.unit());
}

// Groups of rows around `centres` points, in a space where few directions carry most of the variance.
inline Rows clustered(int64_t count, int64_t d, int64_t centres, double mean, double spread, uint64_t seed) {
  Random random(seed);
  std::vector<double> points;
  for (int64_t i = 0; i < centres * d; ++i)
    points.push_back(normal(random) * 3 / (1.0 + static_cast<double>(i % d)));
  Rows rows;
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < d; ++i) {
      const double own = normal(random) * 0.3 / (1.0 + static_cast<double>(i));
      rows.push_back(static_cast<float>(
          mean + spread * (points[static_cast<std::size_t>(r * 7 % centres * d + i)] + own)));
    }
  }
  return rows;
}

struct Case {
  const char* name;
  Rows rows;
  int64_t d;
  int64_t components;
};

inline std::vector<Case> cases() {
  const auto many = [](int64_t n, int64_t d) { return static_cast<std::size_t>(n * d); };
  std::vector<Case> all;
  all.push_back({"random", random_floats(1500 * 20, -1, 1, 1), 20, 6});
  all.push_back({"clustered", clustered(2100, 24, 13, 0, 1, 2), 24, 8});
  all.push_back({"1e-6 from 10", clustered(1100, 24, 13, 10, 1e-6, 3), 24, 8});
  all.push_back({"below normal", clustered(300, 24, 13, 0, 1e-40, 3), 24, 8});
  all.push_back({"large", clustered(300, 24, 13, 0, 1e30, 3), 24, 8});
  all.push_back({"all equal", Rows(many(1100, 8), 0.25F), 8, 3});
  all.push_back({"zeros", Rows(many(1100, 8), 0.0F), 8, 3});
  Rows repeated;
  const Rows kinds = random_floats(5 * 16, -1, 1, 4);
  for (int64_t r = 0; r < 1300; ++r) {
    const auto begin = kinds.begin() + r * 3 % 5 * 16;
    repeated.insert(repeated.end(), begin, begin + 16);
  }
  all.push_back({"duplicates", repeated, 16, 4});
  Rows huge = clustered(1400, 24, 13, 0, 1, 5);
  std::fill_n(huge.begin() + 77 * 24, 24, 3e37F);
  all.push_back({"one huge row", huge, 24, 8});
  Rows largest = clustered(200, 24, 13, 0, 1, 6);
  std::fill_n(largest.begin() + 50 * 24, 48, std::numeric_limits<float>::max());
  std::fill_n(largest.begin() + 51 * 24, 24, -std::numeric_limits<float>::max());
  all.push_back({"the largest floats", largest, 24, 8});
  for (const int64_t count : {1, 2, 63, 64, 65, 1023, 1024, 1025})
    all.push_back({"edges of blocks", clustered(count, 8, 5, 0, 1, 7), 8, 3});
  return all;
}

inline SketchProjection fitted(const Case& c) {
  ThreadPool pool(1);
  return fit_projection(c.rows, c.d, c.components, pool);
}

// Rows of the catalog, the first, the last and some between, and others.
inline Rows queries_of(const Case& c, int64_t count) {
  const int64_t rows = std::ssize(c.rows) / c.d;
  Rows queries;
  for (int64_t q = 0; q < count / 2; ++q) {
    const auto begin = c.rows.begin() + (q * 37 + rows - 1) % rows * c.d;
    queries.insert(queries.end(), begin, begin + c.d);
  }
  // Among them the largest of cases().
  for (const int64_t row : {50, 51, 77}) {
    if (row >= rows || std::ssize(queries) >= count * c.d) continue;
    queries.insert(queries.end(), c.rows.begin() + row * c.d, c.rows.begin() + (row + 1) * c.d);
  }
  const Rows others = random_floats(count * c.d - std::ssize(queries), -1, 1, 99);
  queries.insert(queries.end(), others.begin(), others.end());
  return queries;
}

inline Lists brute_force(const Case& c, const Rows& queries, int64_t k,
                         std::span<const uint8_t> allowed = {}) {
  Lists lists;
  const auto d = static_cast<std::size_t>(c.d);
  for (std::size_t q = 0; q + d <= queries.size(); q += d)
    lists.push_back(reference::nearest(std::span(queries).subspan(q, d), c.rows, k, allowed));
  return lists;
}

struct Outcome {
  Lists lists;
  int64_t measured = 0;
};

inline Outcome find(const SketchedCatalog& catalog, const Rows& queries, int64_t k, int threads,
                    int64_t batch, const SketchSearchOptions& options = {}) {
  const int64_t d = catalog.sketcher->projection().dimension;
  const int64_t count = std::ssize(queries) / d;
  ThreadPool pool(threads);
  Outcome outcome;
  for (int64_t first = 0; first < count; first += batch) {
    const int64_t some = std::min(batch, count - first);
    TopK best(some, k);
    outcome.measured += nearest_by_sketch(
        catalog,
        std::span(queries).subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(some * d)),
        options, best, pool);
    for (int64_t q = 0; q < some; ++q) outcome.lists.push_back(best.take(q));
  }
  return outcome;
}

}  // namespace lookalike::test::sketches
