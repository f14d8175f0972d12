// Search by sketches against a brute force over every row: equal to the bit whatever data, threads, batch,
// instruction set and projection; and it measures few rows.
#include "engine/sketch_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "engine/error.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike {
namespace {

using Rows = std::vector<float>;
using Lists = std::vector<std::vector<Neighbour>>;

double normal(test::Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * std::numbers::pi * random.unit());
}

// Groups of rows around `centres` points, in a space where few directions carry most of the variance.
Rows clustered(int64_t count, int64_t d, int64_t centres, double mean, double spread, uint64_t seed) {
  test::Random random(seed);
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

std::vector<Case> cases() {
  const auto many = [](int64_t n, int64_t d) { return static_cast<std::size_t>(n * d); };
  std::vector<Case> all;
  all.push_back({"random", test::random_floats(1500 * 20, -1, 1, 1), 20, 6});
  all.push_back({"clustered", clustered(2100, 24, 13, 0, 1, 2), 24, 8});
  all.push_back({"1e-6 from 10", clustered(1100, 24, 13, 10, 1e-6, 3), 24, 8});
  all.push_back({"below normal", clustered(300, 24, 13, 0, 1e-40, 3), 24, 8});
  all.push_back({"large", clustered(300, 24, 13, 0, 1e30, 3), 24, 8});
  all.push_back({"all equal", Rows(many(1100, 8), 0.25F), 8, 3});
  all.push_back({"zeros", Rows(many(1100, 8), 0.0F), 8, 3});
  Rows repeated;
  const Rows kinds = test::random_floats(5 * 16, -1, 1, 4);
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

SketchProjection fitted(const Case& c) {
  ThreadPool pool(1);
  return fit_projection(c.rows, c.d, c.components, pool);
}

// Rows of the catalog, the first, the last and some between, and others.
Rows queries_of(const Case& c, int64_t count) {
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
  const Rows others = test::random_floats(count * c.d - std::ssize(queries), -1, 1, 99);
  queries.insert(queries.end(), others.begin(), others.end());
  return queries;
}

Lists brute_force(const Case& c, const Rows& queries, int64_t k, std::span<const uint8_t> allowed = {}) {
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

Outcome find(const SketchedCatalog& catalog, const Rows& queries, int64_t k, int threads, int64_t batch,
             const SketchSearchOptions& options = {}) {
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

TEST(NearestBySketch, EqualsBruteForceInEveryLayout) {
  for (const Case& c : cases()) {
    const test::MemoryCatalog catalog(c.rows, fitted(c));
    const int64_t rows = std::ssize(c.rows) / c.d;
    const Rows queries = queries_of(c, 40);
    for (const int64_t k : {int64_t{1}, int64_t{10}, rows, rows + 3}) {
      const Lists expected = brute_force(c, queries, k);
      for (const int threads : {1, 2, 3}) {
        for (const int64_t batch : {1, 7, 40}) {
          const Outcome got = find(catalog.view(), queries, k, threads, batch);
          ASSERT_EQ(got.lists, expected)
              << c.name << ", " << rows << " rows, k " << k << ", threads " << threads << ", batch " << batch;
        }
      }
    }
  }
}

TEST(NearestBySketch, EqualsBruteForceForManyQueries) {
  const Case c = cases()[1];
  const test::MemoryCatalog catalog(c.rows, fitted(c));
  const Rows queries = queries_of(c, 1100);
  const Lists expected = brute_force(c, queries, 10);
  for (const int64_t batch : {64, 1000, 1100}) {
    for (const int threads : {1, 2}) {
      ASSERT_EQ(find(catalog.view(), queries, 10, threads, batch).lists, expected) << batch;
    }
  }
}

TEST(NearestBySketch, AnyProjectionIsExact) {
  Case c = cases()[1];
  const Rows queries = queries_of(c, 30);
  const Lists expected = brute_force(c, queries, 10);
  SketchProjection projection = fitted(c);
  for (float& value : projection.directions) value *= 1.01F;
  const test::MemoryCatalog longer(c.rows, projection);
  EXPECT_EQ(find(longer.view(), queries, 10, 2, 30).lists, expected);
  projection.directions = test::random_floats(std::ssize(projection.directions), -2, 2, 8);
  projection.mean = test::random_floats(c.d, -50, 50, 9);
  const test::MemoryCatalog any(c.rows, projection);
  EXPECT_EQ(find(any.view(), queries, 10, 2, 30).lists, expected);
}

// A catalog along one direction that is 1.01 long: without the stretch every bound is 1 % too high.
TEST(NearestBySketch, DirectionsThatAreTooLongLoseNoRow) {
  Case c = {"line", {}, 4, 1};
  test::Random random(4);
  for (int64_t r = 0; r < 3000; ++r) {
    c.rows.insert(c.rows.end(), {static_cast<float>(random.between(-1, 1)), 0.0F, 0.0F, 0.0F});
  }
  SketchProjection projection{4, Rows(4, 0.0F), {1.01F, 0.0F, 0.0F, 0.0F}};
  const test::MemoryCatalog catalog(c.rows, projection);
  const Rows queries = queries_of(c, 200);
  EXPECT_EQ(find(catalog.view(), queries, 50, 1, 200).lists, brute_force(c, queries, 50));
}

TEST(NearestBySketch, EqualsBruteForceWithFewBytes) {
  for (const Case& c : cases()) {
    const Rows queries = queries_of(c, 20);
    for (const int64_t bytes : {1, 3}) {
      const test::MemoryCatalog catalog(c.rows, fitted(c), bytes);
      for (const int64_t k : {1, 10, 100}) {
        for (const int64_t batch : {1, 20}) {
          ASSERT_EQ(find(catalog.view(), queries, k, 2, batch).lists, brute_force(c, queries, k))
              << c.name << ", " << bytes << " bytes, k " << k;
        }
      }
    }
  }
}

// Steps of the length of the neighbours' distances: 0.49 becomes 0 and 0.51 becomes 1, where 0.02 lies
// between.
TEST(NearestBySketch, RoundingToBytesLosesNoRow) {
  Case c = {"line", {}, 2, 1};
  test::Random random(4);
  for (int64_t r = 0; r < 3000; ++r) {
    c.rows.insert(c.rows.end(), {static_cast<float>(random.between(-100, 100)), 0.0F});
  }
  test::MemoryCatalog catalog(c.rows, {2, Rows(2, 0.0F), {1.0F, 0.0F}});
  const Rows queries(c.rows.begin(), c.rows.begin() + 2 * 200);
  for (const double step : {0.2, 1.0, 7.0}) {
    catalog.use(ByteSketcher({0.0F, 0.0F}, step));
    for (const int64_t k : {2, 5}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 200).lists, brute_force(c, queries, k)) << step;
    }
  }
}

TEST(NearestBySketch, RoundingOfFineSketchesLosesNoRow) {
  Case c = {"line", {}, 2, 1};
  test::Random random(4);
  for (int64_t r = 0; r < 3000; ++r) {
    c.rows.insert(c.rows.end(), {static_cast<float>(random.between(-100, 100)), 0.0F});
  }
  test::MemoryCatalog catalog(c.rows, {2, Rows(2, 0.0F), {1.0F, 0.0F}});
  const Rows queries(c.rows.begin(), c.rows.begin() + 2 * 200);
  // So coarse that the scan lets all through.
  catalog.use(ByteSketcher({0.0F, 0.0F}, 1000));
  for (const float step : {0.0F, 0.2F, 1.0F, 7.0F}) {
    catalog.use(FineSketcher({0.0F, 0.0F}, {step, step}));
    for (const int64_t k : {2, 5}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 200).lists, brute_force(c, queries, k)) << step;
    }
  }
}

// On a line, codes are multiples of u from 960 on, sketches 100 more, where floats are 2 u apart: even
// multiples are kept, odd ones move by u. Of two rows as near as one another the one that seems farther is
// the first.
TEST(NearestBySketch, RoundingToFloatLosesNoRow) {
  const float u = 0x1p-14F;
  const auto line = [&](int64_t odd) {
    Rows rows;
    for (int64_t i = 0; i < 2500; ++i) {
      const int64_t place = 2 * (i * 1237 % 2500) + odd;
      rows.insert(rows.end(), {960 + static_cast<float>(place) * u, 50.0F});
    }
    return rows;
  };
  for (const int64_t odd : {0, 1}) {  // of the rows; the queries are the others
    const Case c = {"line", line(odd), 2, 1};
    const test::MemoryCatalog catalog(c.rows, {2, {-100.0F, 0.0F}, {1.0F, 0.0F}});
    const Rows queries = line(1 - odd);
    for (const int64_t k : {1, 3}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 500).lists, brute_force(c, queries, k))
          << odd << ", " << k;
    }
  }
}

// |s|^2 = 4 x^2 + 9 x^2 = 13 x^2, and sqrt(13) is the stretch; every byte is exact.
TEST(NearestBySketch, StretchIsPaidByTheBytesToo) {
  Case c = {"line", {}, 4, 1};
  for (int64_t r = 0; r < 2000; ++r) {
    c.rows.insert(c.rows.end(), {static_cast<float>(r * 7 % 43), 0.0F, 0.0F, 0.0F});
  }
  test::MemoryCatalog catalog(c.rows, {4, Rows(4, 0.0F), {2.0F, 0.0F, 0.0F, 0.0F}});
  // Bytes of [2x, 3x] for x up to 42.
  catalog.use(ByteSketcher({0.0F, 0.0F}, 1));
  const Rows queries(c.rows.begin(), c.rows.begin() + 50 * c.d);
  for (const int64_t k : {50, 60, 200}) {
    ASSERT_EQ(find(catalog.view(), queries, k, 1, 50).lists, brute_force(c, queries, k)) << k;
  }
}

TEST(NearestBySketch, RowsOutOfTheOrdinarySpoilNoOthers) {
  Case c = {"outliers", clustered(5000, 24, 40, 0, 1, 12), 24, 8};
  for (int64_t r = 0; r < 5000; r += 500) {
    for (int64_t i = 0; i < c.d; ++i) c.rows[static_cast<std::size_t>(r * c.d + i)] *= 1e5F;
  }
  SketchProjection projection = fitted({"", clustered(5000, 24, 40, 0, 1, 12), 24, 8});
  const test::MemoryCatalog catalog(c.rows, projection);
  const Rows queries(c.rows.begin() + 1 * c.d, c.rows.begin() + 101 * c.d);
  const SketchedCatalog view = catalog.view();
  int64_t compared = 0;
  SketchedCatalog counted = view;
  counted.fine = [&](int64_t row, std::span<int8_t> scratch) {
    ++compared;
    return view.fine(row, scratch);
  };
  EXPECT_EQ(find(counted, queries, 10, 1, 100).lists, brute_force(c, queries, 10));
  EXPECT_LT(compared, 100 * 5000 / 4) << "of 500,000";
}

class NearestBySketchOn : public test::TargetTest {};

TEST_P(NearestBySketchOn, EqualsBruteForce) {
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}, std::size_t{8}}) {
    const Case c = cases()[i];
    const test::MemoryCatalog catalog(c.rows, fitted(c));
    const Rows queries = queries_of(c, 25);
    const Lists expected = brute_force(c, queries, 10);
    ASSERT_EQ(find(catalog.view(), queries, 10, 1, 25).lists, expected) << c.name;
    ASSERT_EQ(find(catalog.view(), queries, 10, 2, 1).lists, expected) << c.name;
  }
}
LOOKALIKE_FOR_EACH_TARGET(NearestBySketchOn);

TEST(NearestBySketch, LeavesOutRowsThatTheMaskForbidsAndThoseTooFar) {
  for (const std::size_t i : {std::size_t{1}, std::size_t{7}}) {
    const Case c = cases()[i];
    const test::MemoryCatalog catalog(c.rows, fitted(c));
    std::vector<uint8_t> allowed(c.rows.size() / static_cast<std::size_t>(c.d));
    for (std::size_t r = 0; r < allowed.size(); ++r) allowed[r] = r % 3 == 0 ? 1 : 0;
    const Rows queries = queries_of(c, 30);
    const int64_t rows = catalog.view().rows;
    const Lists all = brute_force(c, queries, rows, allowed);
    for (const double most : {0.0, 0.05, 0.4, 1e9}) {
      SketchSearchOptions options;
      options.allowed = allowed;
      options.most = most;
      for (const int64_t k : {int64_t{5}, rows}) {
        Lists expected = all;
        for (auto& list : expected) {
          std::erase_if(list, [&](const Neighbour& n) { return n.squared_distance > most; });
          if (std::ssize(list) > k) list.resize(static_cast<std::size_t>(k));
        }
        for (const int64_t batch : {1, 30}) {
          ASSERT_EQ(find(catalog.view(), queries, k, 2, batch, options).lists, expected)
              << c.name << ", most " << most << ", k " << k;
        }
      }
    }
  }
}

TEST(NearestBySketch, FirstHundredOfThousandAreTheHundred) {
  const Case c = cases()[7];
  const test::MemoryCatalog catalog(c.rows, fitted(c));
  const Rows queries = queries_of(c, 20);
  const Lists hundred = find(catalog.view(), queries, 100, 1, 20).lists;
  Lists thousand = find(catalog.view(), queries, 1000, 2, 1).lists;
  for (auto& list : thousand) list.resize(100);
  EXPECT_EQ(hundred, thousand);
}

TEST(NearestBySketch, AddsToListsThatHoldRowsAlready) {
  const Case c = cases()[1];
  const test::MemoryCatalog catalog(c.rows, fitted(c));
  const Rows queries = queries_of(c, 2);
  for (const int threads : {1, 4}) {
    TopK best(2, 3);
    best.insert(0, {0.0, 5000});
    best.insert(1, {1e300, 5000});
    ThreadPool pool(threads);
    nearest_by_sketch(catalog.view(), queries, {}, best, pool);
    Lists expected = brute_force(c, queries, 3);
    expected[0].push_back({0.0, 5000});
    std::sort(expected[0].begin(), expected[0].end());
    expected[0].resize(3);
    EXPECT_EQ(best.take(0), expected[0]);
    EXPECT_EQ(best.take(1), expected[1]);
  }
}

TEST(NearestBySketch, EmptyCatalogAndNoQueries) {
  const Case c = cases()[1];
  const test::MemoryCatalog none({}, fitted(c)), some(c.rows, fitted(c));
  EXPECT_EQ(find(none.view(), queries_of(c, 4), 3, 2, 4).lists, Lists(4));
  TopK best(0, 3);
  ThreadPool pool(2);
  EXPECT_EQ(nearest_by_sketch(some.view(), {}, {}, best, pool), 0);
  TopK wrong(2, 3);
  EXPECT_THROW(nearest_by_sketch(some.view(), {}, {}, wrong, pool), std::invalid_argument);
}

TEST(NearestBySketch, MeasuresFewRowsOfAGroupedCatalog) {
  const Case c = {"", clustered(20000, 24, 40, 0, 1, 11), 24, 8};
  const test::MemoryCatalog catalog(c.rows, fitted(c));
  const Rows queries(c.rows.begin(), c.rows.begin() + 100 * c.d);
  const Outcome many = find(catalog.view(), queries, 10, 1, 100);
  EXPECT_EQ(many.lists, brute_force(c, queries, 10));
  EXPECT_LT(many.measured, 100 * 200) << "of 20,000 rows";
  EXPECT_GE(many.measured, 100 * 10);
  EXPECT_EQ(find(catalog.view(), queries, 10, 1, 100).measured, many.measured);
}

// Enough blocks for limits that come down in the midst of a scan, on each of two threads.
TEST(NearestBySketch, EqualsBruteForceInALongScan) {
  const Case c = {"", clustered(140 * kSketchBlockRows - 5, 3, 300, 0, 1, 21), 3, 2};
  const test::MemoryCatalog catalog(c.rows, fitted(c), 2);
  const Rows queries = queries_of(c, 26);
  std::vector<uint8_t> mask(c.rows.size() / 3);
  for (std::size_t r = 0; r < mask.size(); ++r) mask[r] = r / 500 % 30 == 0;  // some rows in some blocks
  for (const std::span<const uint8_t> allowed :
       {std::span<const uint8_t>(), std::span<const uint8_t>(mask)}) {
    const Lists thousand = brute_force(c, queries, 1000, allowed);
    SketchSearchOptions options;
    options.allowed = allowed;
    for (const int64_t k : {1, 10, 257, 1000}) {
      Lists expected = thousand;
      for (auto& list : expected) list.resize(static_cast<std::size_t>(k));
      for (const int threads : {1, 2}) {
        for (const int64_t batch : {1, 26}) {
          ASSERT_EQ(find(catalog.view(), queries, k, threads, batch, options).lists, expected)
              << k << ", threads " << threads << ", batch " << batch << ", mask " << !allowed.empty();
        }
      }
    }
  }
}

TEST(NearestBySketch, RowThatIsNotFiniteIsDamage) {
  const Case c = cases()[1];
  test::MemoryCatalog catalog(c.rows, fitted(c));
  catalog.codes()[static_cast<std::size_t>(30 * c.d + 5)] = std::nanf("");
  const Rows query(c.rows.begin() + 30 * c.d, c.rows.begin() + 31 * c.d);
  try {
    find(catalog.view(), query, 1, 1, 1);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kDamaged);
    EXPECT_NE(std::string(error.what()).find("row 30 "), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lookalike
