// The scan of 8-bit sketches: integers, so every score is the reference's.
#include "kernels/cpu/sketch_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "tests/support/targets.h"

namespace lookalike::cpu {
namespace {

using SketchScan = test::TargetTest;

struct Group {
  std::vector<int8_t> queries;
  std::vector<uint8_t> values;
  std::vector<int32_t> halves;
  int64_t query_count = 0, n = 0;

  int64_t score(int64_t q, int64_t r) const {
    int64_t sum = halves[static_cast<std::size_t>(r)];
    for (int64_t i = 0; i < n; ++i) {
      sum += int64_t{queries[static_cast<std::size_t>(q * n + i)]} *
             values[static_cast<std::size_t>((i / 4 * kSketchGroup + r) * 4 + i % 4)];
    }
    return sum;
  }
};

Group random_group(int64_t query_count, int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Group g;
  g.query_count = query_count;
  g.n = n;
  for (int64_t i = 0; i < query_count * n; ++i) g.queries.push_back(static_cast<int8_t>(random() & 255));
  for (int64_t i = 0; i < kSketchGroup * n; ++i) g.values.push_back(static_cast<uint8_t>(random() & 255));
  for (int64_t r = 0; r < kSketchGroup; ++r) g.halves.push_back(-static_cast<int32_t>(random() % 100000));
  return g;
}

using Hits = std::vector<std::tuple<int64_t, int64_t, int64_t>>;  // query, row, score

Hits expected_hits(const Group& g, const std::vector<int32_t>& least) {
  Hits hits;
  for (int64_t q = 0; q < g.query_count; ++q) {
    for (int64_t r = 0; r < kSketchGroup; ++r) {
      const int64_t score = g.score(q, r);
      if (score >= least[static_cast<std::size_t>(q)]) hits.emplace_back(q, r, score);
    }
  }
  return hits;
}

template <class Function>
Hits scan(Function function, const Group& g, const std::vector<int32_t>& least) {
  std::vector<SketchHit> hits(static_cast<std::size_t>(g.query_count * kSketchGroup) + 1, {-7, -7, -7});
  const int64_t found = function(g.queries.data(), g.query_count, g.n, g.values.data(), g.halves.data(),
                                 least.data(), hits.data());
  EXPECT_EQ(hits.back().query, -7) << "written past the end";
  Hits result;
  for (int64_t i = 0; i < found; ++i) {
    const SketchHit& hit = hits[static_cast<std::size_t>(i)];
    result.emplace_back(hit.query, hit.row, hit.score);
  }
  // The rows of a query ascend as they come.
  std::stable_sort(result.begin(), result.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  return result;
}

void expect_reference(const Group& g, const std::vector<int32_t>& least) {
  const Hits expected = expected_hits(g, least);
  ASSERT_EQ(scan(scan_sketches, g, least), expected) << g.query_count << " queries, n " << g.n;
  ASSERT_EQ(scan(scan_sketches_by_shorts, g, least), expected) << g.query_count << " queries, n " << g.n;
}

TEST_P(SketchScan, ScoresEveryPair) {
  for (const int64_t n : {4, 8, 36, 128}) {
    for (int64_t queries = 1; queries <= 14; ++queries) {
      const Group g = random_group(queries, n, static_cast<uint64_t>(100 * n + queries));
      expect_reference(
          g, std::vector<int32_t>(static_cast<std::size_t>(queries), std::numeric_limits<int32_t>::min()));
    }
  }
}

TEST_P(SketchScan, KeepsWhatIsNotBelowTheThreshold) {
  for (int64_t queries = 1; queries <= 13; ++queries) {
    const Group g = random_group(queries, 12, static_cast<uint64_t>(queries));
    std::vector<int32_t> at, above;
    for (int64_t q = 0; q < queries; ++q) {
      at.push_back(static_cast<int32_t>(g.score(q, q * 63 % 64)));
      above.push_back(at.back() + 1);
    }
    expect_reference(g, at);
    expect_reference(g, above);
  }
}

TEST_P(SketchScan, HasRoomForTheLargestSums) {
  for (const int8_t query : {int8_t{-128}, int8_t{127}}) {
    Group g = random_group(3, kMostSketchBytes, 1);
    std::fill(g.queries.begin(), g.queries.end(), query);
    std::fill(g.values.begin(), g.values.end(), uint8_t{255});
    std::fill(g.halves.begin(), g.halves.end(), query < 0 ? kNoRow : 0);
    expect_reference(g, std::vector<int32_t>(3, std::numeric_limits<int32_t>::min()));
  }
}

LOOKALIKE_FOR_EACH_TARGET(SketchScan);

}  // namespace
}  // namespace lookalike::cpu
