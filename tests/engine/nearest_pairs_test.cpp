// All pairs at once against the reference, which looks at every row, and against the scan that is asked row
// by row: equal to the bit.
#include "engine/nearest_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/distance_filter.h"
#include "engine/nearest.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

using Lists = std::vector<std::vector<Neighbour>>;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

Lists lists_of(TopK& best) {
  Lists lists;
  for (int64_t q = 0; q < best.queries(); ++q) lists.push_back(best.take(q));
  return lists;
}

Lists by_pairs(std::span<const float> codes, int64_t dimension, int64_t k, double most, int threads) {
  ThreadPool pool(threads);
  TopK best(std::ssize(codes) / dimension, k, most);
  nearest_pairs_on_cpu(codes, dimension, best, pool);
  return lists_of(best);
}

// A list of all rows, less the row itself, those beyond `most` and those too many.
void cut(std::vector<Neighbour>& list, int64_t self, int64_t k, double most) {
  std::erase_if(list, [&](const Neighbour& n) { return n.row == self || !(n.squared_distance <= most); });
  if (std::ssize(list) > k) list.resize(as_size(k));
}

// Each row's list of all rows.
Lists reference_lists(std::span<const float> codes, int64_t dimension) {
  Lists lists;
  const int64_t rows = std::ssize(codes) / dimension;
  for (int64_t q = 0; q < rows; ++q) {
    lists.push_back(
        reference::nearest(codes.subspan(as_size(q * dimension), as_size(dimension)), codes, rows));
  }
  return lists;
}

Lists by_rows(std::span<const float> codes, int64_t dimension, int64_t k, double most) {
  ThreadPool pool(2);
  TopK best(std::ssize(codes) / dimension, k + 1, most);
  SearchBlock block;
  block.queries = block.rows = codes;
  block.dimension = dimension;
  nearest_on_cpu(block, best, pool);
  Lists lists = lists_of(best);
  for (std::size_t q = 0; q < lists.size(); ++q) cut(lists[q], static_cast<int64_t>(q), k, most);
  return lists;
}

struct Kind {
  std::string name;
  std::function<std::vector<float>(int64_t rows, int64_t dimension)> make;
};

std::vector<Kind> kinds() {
  const auto random = [](int64_t rows, int64_t dimension) {
    return random_floats(rows * dimension, -1, 1, 21);
  };
  return {
      {"random", random},
      {"all equal",
       [](int64_t rows, int64_t dimension) { return std::vector<float>(as_size(rows * dimension), 0.25F); }},
      {"zeros",
       [](int64_t rows, int64_t dimension) { return std::vector<float>(as_size(rows * dimension)); }},
      {"five rows again and again",
       [](int64_t rows, int64_t dimension) {
         const std::vector<float> five = random_floats(5 * dimension, -1, 1, 22);
         std::vector<float> codes;
         for (int64_t r = 0; r < rows; ++r) {
           const auto one = five.begin() + r * 7 % 5 * dimension;
           codes.insert(codes.end(), one, one + dimension);
         }
         return codes;
       }},
      {"far from 0",
       [](int64_t rows, int64_t dimension) { return random_floats(rows * dimension, 4096, 4096.5, 23); }},
      {"one huge row", [random](int64_t rows, int64_t dimension) {
         std::vector<float> codes = random(rows, dimension);
         if (rows > 0) std::fill_n(codes.begin() + rows / 2 * dimension, dimension, 3e38F);
         return codes;
       }}};
}

class NearestPairs : public TargetTest {};

TEST_P(NearestPairs, AreTheNearestOfEveryRow) {
  for (const Kind& kind : kinds()) {
    for (const int64_t dimension : {int64_t{1}, int64_t{3}, int64_t{130}}) {
      for (const int64_t rows : {0, 1, 2, 23, 24, 25, 48, 49, 73, 97}) {
        const std::vector<float> codes = kind.make(rows, dimension);
        const Lists all = reference_lists(codes, dimension);
        const auto check = [&](int64_t k, double most) {
          Lists expected = all;
          for (int64_t q = 0; q < rows; ++q) cut(expected[as_size(q)], q, k, most);
          ASSERT_EQ(by_pairs(codes, dimension, k, most, 1 + static_cast<int>((rows + k) % 3)), expected)
              << kind.name << ", " << rows << " rows of " << dimension << ", k " << k << ", most " << most;
        };
        for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{5}, std::max<int64_t>(0, rows - 1), rows + 3})
          check(k, INFINITY);
        check(5, 0.0);
        if (rows > 2) check(rows, all[0][as_size(rows) / 2].squared_distance);
      }
    }
  }
}

LOOKALIKE_FOR_EACH_TARGET(NearestPairs);

TEST(NearestPairsOfMany, AreThoseOfTheScanForAnyThreads) {
  for (const Kind& kind : kinds()) {
    const std::vector<float> codes = kind.make(1100, 8);
    const Lists expected = by_rows(codes, 8, 4, INFINITY);
    for (const int threads : {1, 2, 3})
      ASSERT_EQ(by_pairs(codes, 8, 4, INFINITY, threads), expected) << kind.name;
    const std::vector<float> long_codes = kind.make(150, kCodeLength);
    const Lists of_long = by_rows(long_codes, kCodeLength, 6, INFINITY);
    for (const int threads : {1, 2, 3})
      ASSERT_EQ(by_pairs(long_codes, kCodeLength, 6, INFINITY, threads), of_long) << kind.name;
  }
  // Blocks of two tiles and more on two threads.
  for (const int64_t rows : {3100, 6200}) {
    const std::vector<float> codes = random_floats(rows * 3, -1, 1, 26);
    ASSERT_EQ(by_pairs(codes, 3, 4, INFINITY, 2), by_rows(codes, 3, 4, INFINITY)) << rows;
  }
  // On one thread these rows come in blocks of two and of four tiles, of which the last is not full.
  for (const int64_t rows : {1537, 1680, 3073, 3168}) {
    const std::vector<float> codes = kinds()[3].make(rows, 3);
    ASSERT_EQ(by_pairs(codes, 3, 4, INFINITY, 1), by_rows(codes, 3, 4, INFINITY)) << rows;
  }
}

// Where the dot products' error is not bounded every pair is measured.
TEST(NearestPairsOfMany, OfMoreNumbersThanTheFilterTakes) {
  const int64_t dimension = kFilterDimension + 1;
  const std::vector<float> codes = random_floats(60 * dimension, -1, 1, 24);
  Lists expected = reference_lists(codes, dimension);
  for (int64_t q = 0; q < 60; ++q) cut(expected[as_size(q)], q, 3, INFINITY);
  EXPECT_EQ(by_pairs(codes, dimension, 3, INFINITY, 2), expected);
}

TEST(NearestPairsOfMany, MergeIntoWhatIsThere) {
  const std::vector<float> codes = {0, 1, 5};
  ThreadPool pool(1);
  TopK best(3, 2);
  best.insert(2, {1.0, 77});
  nearest_pairs_on_cpu(codes, 1, best, pool);
  EXPECT_EQ(lists_of(best), (Lists{{{1, 1}, {25, 2}}, {{1, 0}, {16, 2}}, {{1, 77}, {16, 1}}}));
}

TEST(NearestPairsOfMany, AreWatchedAndStop) {
  ThreadPool pool(2);
  for (const int64_t rows : {0, 1, 24, 25, 500}) {
    const std::vector<float> codes = random_floats(rows * 4, -1, 1, 25);
    std::vector<double> shares;
    TopK best(rows, 3);
    nearest_pairs_on_cpu(codes, 4, best, pool, [&](double share) { shares.push_back(share); });
    ASSERT_GE(shares.size(), 2U);
    EXPECT_TRUE(std::ranges::is_sorted(shares));
    EXPECT_EQ(shares.front(), 0);
    EXPECT_EQ(shares.back(), 1) << rows << " rows";
    struct Stopped {};
    for (const double at : shares) {
      TopK some(rows, 3);
      const auto stop = [&](double share) {
        if (share >= at) throw Stopped();
      };
      EXPECT_THROW(nearest_pairs_on_cpu(codes, 4, some, pool, stop), Stopped);
    }
  }
}

TEST(NearestPairsOfMany, NeedAListForEachRow) {
  ThreadPool pool(1);
  TopK best(2, 3);
  EXPECT_THROW(nearest_pairs_on_cpu(std::vector<float>(12), 4, best, pool), std::logic_error);
}

}  // namespace
}  // namespace lookalike::test
