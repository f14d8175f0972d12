// The scan of sketches: scores within their stated error, and no pair lost at the threshold.
#include "kernels/cpu/sketch_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::cpu {
namespace {

using SketchScan = test::TargetTest;

struct Group {
  std::vector<float> queries, values, halves;
  int64_t query_count = 0, n = 0;

  std::size_t place(int64_t i, int64_t r) const { return static_cast<std::size_t>(i * kSketchGroup + r); }
  long double score(int64_t q, int64_t r) const {
    long double square = 0, dot = 0;
    for (int64_t i = 0; i < n; ++i) {
      const long double value = values[place(i, r)];
      square += value * value;
      dot += value * queries[static_cast<std::size_t>(q * n + i)];
    }
    return dot - square / 2;
  }
  double row_length(int64_t r) const {
    double square = 0;
    for (int64_t i = 0; i < n; ++i) square += std::pow(static_cast<double>(values[place(i, r)]), 2);
    return std::sqrt(square) * (1 + 1e-12);
  }
  double query_length(int64_t q) const {
    double square = 0;
    for (int64_t i = 0; i < n; ++i)
      square += std::pow(static_cast<double>(queries[static_cast<std::size_t>(q * n + i)]), 2);
    return std::sqrt(square) * (1 + 1e-12);
  }
};

Group group(int64_t query_count, int64_t n, double spread, uint64_t seed) {
  Group g;
  g.query_count = query_count;
  g.n = n;
  g.queries = test::random_floats(query_count * n, -spread, spread, seed);
  g.values = test::random_floats(n * kSketchGroup, -spread, spread, seed + 1);
  for (int64_t r = 0; r < kSketchGroup; ++r) {
    const double length = g.row_length(r);
    g.halves.push_back(static_cast<float>(-length * length / 2));
  }
  return g;
}

std::vector<SketchHit> scan(const Group& g, const std::vector<float>& least) {
  std::vector<SketchHit> hits(static_cast<std::size_t>(g.query_count * kSketchGroup) + 1, {-7.0F, -7, -7});
  const int64_t found = scan_sketches(g.queries.data(), g.query_count, g.n, g.values.data(), g.halves.data(),
                                      least.data(), hits.data());
  EXPECT_EQ(hits.back().query, -7) << "written past the end";
  hits.resize(static_cast<std::size_t>(found));
  return hits;
}

TEST_P(SketchScan, ScoresEveryPairWithinTheError) {
  for (const double spread : {1.0, 1e-22, 1e15}) {
    for (const int64_t n : {1, 2, 7, 128}) {
      for (int64_t queries = 1; queries <= 14; ++queries) {
        const Group g = group(queries, n, spread, static_cast<uint64_t>(10 * n + queries));
        const auto hits = scan(g, std::vector<float>(static_cast<std::size_t>(queries), -HUGE_VALF));
        std::map<std::pair<int32_t, int32_t>, float> scores;
        for (const SketchHit& hit : hits) scores[{hit.query, hit.row}] = hit.score;
        ASSERT_EQ(std::ssize(scores), queries * kSketchGroup);
        ASSERT_EQ(scores.size(), hits.size());
        for (const auto& [pair, score] : scores) {
          const auto [q, r] = pair;
          const double bound = sketch_score_error(n, g.query_length(q), g.row_length(r));
          ASSERT_LE(std::fabs(static_cast<long double>(score) - g.score(q, r)), bound)
              << spread << ", " << n << ", " << queries << ": query " << q << ", row " << r;
        }
      }
    }
  }
}

TEST_P(SketchScan, KeepsWhatIsNotBelowTheThreshold) {
  for (int64_t queries = 1; queries <= 13; ++queries) {
    const Group g = group(queries, 9, 1.0, static_cast<uint64_t>(queries));
    const auto all = scan(g, std::vector<float>(static_cast<std::size_t>(queries), -HUGE_VALF));
    std::vector<float> least;
    // A threshold that is the very score of one of the query's rows, the first and the last among them.
    for (int64_t q = 0; q < queries; ++q) {
      const int32_t row = static_cast<int32_t>((q * 63) % 64);
      for (const SketchHit& hit : all)
        if (hit.query == q && hit.row == row) least.push_back(hit.score);
    }
    std::map<std::pair<int32_t, int32_t>, float> expected, got;
    for (const SketchHit& hit : all)
      if (hit.score >= least[static_cast<std::size_t>(hit.query)]) expected[{hit.query, hit.row}] = hit.score;
    const auto hits = scan(g, least);
    for (const SketchHit& hit : hits) got[{hit.query, hit.row}] = hit.score;
    ASSERT_EQ(got.size(), hits.size());
    ASSERT_EQ(got, expected) << queries;
  }
}

TEST_P(SketchScan, KeepsScoresThatAreNotNumbers) {
  Group g = group(2, 3, 1.0, 5);
  g.values[g.place(1, 40)] = std::numeric_limits<float>::infinity();
  g.halves[40] = -HUGE_VALF;
  const auto hits = scan(g, {1e30F, HUGE_VALF});
  // inf * positive + -inf is NaN, inf * negative + -inf is -inf.
  int64_t expected = 0;
  for (std::size_t q = 0; q < 2; ++q) expected += g.queries[q * 3 + 1] > 0 ? 1 : 0;
  EXPECT_EQ(std::ssize(hits), expected);
  for (const SketchHit& hit : hits) EXPECT_TRUE(std::isnan(hit.score));
  g.queries[1] = g.queries[4] = 0.5F;
  EXPECT_EQ(scan(g, {1e30F, HUGE_VALF}).size(), 2U);
}

LOOKALIKE_FOR_EACH_TARGET(SketchScan);

TEST(SketchScoreError, IsInfiniteWhereFloatMayOverflow) {
  EXPECT_TRUE(std::isinf(sketch_score_error(8, 1, 2e19)));
  EXPECT_TRUE(std::isinf(sketch_score_error(8, 1e30, 1e9)));
  EXPECT_TRUE(std::isinf(sketch_score_error(8, std::nan(""), 1)));
  EXPECT_LT(sketch_score_error(128, 8, 8), 1e-3);
}

}  // namespace
}  // namespace lookalike::cpu
