// Search by sketches against a brute force over every row: equal to the bit whatever data, threads, batch,
// instruction set and projection; and it measures few rows.
#include "engine/sketch_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "engine/error.h"
#include "tests/engine/sketch_cases.h"
#include "tests/support/targets.h"

namespace lookalike {
namespace {

using namespace test::sketches;

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
