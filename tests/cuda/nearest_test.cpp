#include "kernels/cuda/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/cuda/nearest_select.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

using cuda::Filter;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array kFilters = {Filter::kNone, Filter::kFloat, Filter::kHalf, Filter::kAuto};
std::string name(Filter filter) {
  return std::array{"auto", "none", "float", "half"}[static_cast<std::size_t>(filter)];
}

struct Case {
  std::string name;
  std::int64_t dimension = 40;
  std::vector<float> queries, rows;
  std::vector<std::int64_t> ks = {6};
  std::vector<std::uint8_t> allowed = {};
  std::int64_t part_rows = 16384;
  std::vector<std::int32_t> row_groups = {}, query_groups = {};
  std::int64_t batch = 4096;

  std::int64_t query_count() const { return std::ssize(queries) / dimension; }
  std::span<const float> query(std::int64_t q) const {
    return std::span(queries).subspan(static_cast<std::size_t>(q * dimension),
                                      static_cast<std::size_t>(dimension));
  }
  std::vector<std::uint8_t> allowed_to(std::int64_t q) const;  // empty: all
};

std::vector<std::uint8_t> Case::allowed_to(std::int64_t q) const {
  std::vector<std::uint8_t> mask = allowed;
  if (query_groups.empty()) return mask;
  mask.resize(row_groups.size(), 1);
  const std::int32_t own = query_groups[static_cast<std::size_t>(q)];
  for (std::size_t r = 0; r < mask.size(); ++r)
    if (own >= 0 && row_groups[r] == own) mask[r] = 0;
  return mask;
}

// What the engine does with the device's answer, and the reference's own answer, to the bit.
cuda::Nearest::Counts expect_exact(const Case& c, Filter filter) {
  cuda::NearestOptions options;
  options.filter = filter;
  options.part_rows = c.part_rows;
  options.batch = c.batch;
  cuda::Nearest device(options);
  cuda::Nearest::Counts counts;
  for (const std::int64_t k : c.ks) {
    TopK best(c.query_count(), k);
    device.run(
        {c.queries, c.rows, c.dimension, c.allowed, c.row_groups, c.query_groups}, k,
        [&](std::int64_t q) { return best.limit(q); },
        [&](std::int64_t q, std::span<const double> distances, std::span<const std::int64_t> rows) {
          for (std::size_t i = 0; i < rows.size(); ++i) best.insert(q, {distances[i], rows[i]});
        });
    for (std::int64_t q = 0; q < c.query_count(); ++q) {
      const auto expected = reference::nearest(c.query(q), c.rows, k, c.allowed_to(q));
      const auto actual = best.take(q);
      EXPECT_EQ(actual, expected) << c.name << ", filter " << name(filter) << ", query " << q << ", k " << k;
      if (actual != expected) return counts;
    }
    counts.measured += device.counts().measured;
    counts.repeated += device.counts().repeated;
    counts.passes += device.counts().passes;
    counts.half_parts += device.counts().half_parts;
    counts.float_parts += device.counts().float_parts;
  }
  return counts;
}

// Like codes of photos: of few directions, not negative, with repeated and nearly repeated rows.
std::vector<float> code_like(std::int64_t count, std::int64_t dimension, std::uint64_t seed) {
  constexpr int kDirections = 12;
  Random random(seed);
  std::vector<double> directions(static_cast<std::size_t>(kDirections * dimension));
  for (double& v : directions) v = random.between(-1, 1);
  std::vector<float> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0 && i % 9 == 0) {
      const auto from = static_cast<std::size_t>(random.below(i) * dimension);
      rows.insert(rows.end(), rows.begin() + static_cast<std::ptrdiff_t>(from),
                  rows.begin() + static_cast<std::ptrdiff_t>(from) + dimension);
      if (i % 2 == 0) rows.back() += 1e-6F;
      continue;
    }
    std::vector<double> weights(kDirections);
    for (double& w : weights) w = random.between(-1, 1);
    for (std::int64_t k = 0; k < dimension; ++k) {
      double sum = 0.4 + random.between(-0.05, 0.05);
      for (int j = 0; j < kDirections; ++j)
        sum += 0.3 * weights[static_cast<std::size_t>(j)] *
               directions[static_cast<std::size_t>(j * dimension + k)];
      rows.push_back(static_cast<float>(std::max(0.0, sum)));
    }
  }
  return rows;
}

std::vector<float> first(const std::vector<float>& rows, std::int64_t count, std::int64_t dimension) {
  return {rows.begin(), rows.begin() + count * dimension};
}

// Under ThreadSanitizer, where it takes minutes, only RacesInNoKernel runs.
class NearestTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    if (kSmallShapes && test != "RacesInNoKernel") GTEST_SKIP() << "too long for ThreadSanitizer";
  }
};

TEST_F(NearestTest, RacesInNoKernel) {
  for (const Filter filter : {Filter::kNone, Filter::kFloat, Filter::kHalf})
    expect_exact({"few", 64, code_like(5, 64, 3), code_like(12, 64, 4), {3}}, filter);
}

TEST_F(NearestTest, EqualsTheReferenceOnAwkwardShapes) {
  for (const auto& [queries, rows, dimension] :
       std::vector<std::array<std::int64_t, 3>>{{1, 1, 1}, {9, 3, 7}, {8, 128, 16}, {129, 130, 50}}) {
    Case c{"code-like rows", dimension, code_like(queries, dimension, 5), code_like(rows, dimension, 6)};
    if (queries < 100) c.ks = {1, 20};
    for (const Filter filter : kFilters) expect_exact(c, filter);
  }
}

TEST_F(NearestTest, ZeroDistancesAndTies) {
  const std::int64_t n = 140;
  const auto rows = code_like(n, 40, 7);
  for (const Filter filter : kFilters) {
    expect_exact({"queries that are rows", 40, first(rows, 17, 40), rows}, filter);
    expect_exact({"all rows equal", 40, first(rows, 9, 40), std::vector<float>(rows.size(), 0.5F)}, filter);
  }
}

TEST_F(NearestTest, CodesOfTheProduct) {
  const auto rows = code_like(140, 2888, 8);
  for (const Filter filter : {Filter::kFloat, Filter::kHalf})
    expect_exact({"codes", 2888, first(code_like(20, 2888, 9), 10, 2888), rows, {3}}, filter);
}

// The filter is worth its work: what it keeps is little more than k for codes that come in any order.
TEST_F(NearestTest, TheFilterKeepsFew) {
  constexpr std::int64_t kRows = 5000, kQueries = 8, kK = 10;
  Case c{"code-like rows", 64, code_like(kQueries, 64, 10), code_like(kRows, 64, 11), {kK}};
  for (const Filter filter : {Filter::kFloat, Filter::kHalf}) {
    const auto counts = expect_exact(c, filter);
    // All of the first chunk, and then about k for each doubling.
    EXPECT_LT(counts.measured, kQueries * (cuda::kCandidatesMost + 8 * kK)) << name(filter);
    EXPECT_EQ(counts.repeated, 0);
    EXPECT_EQ(counts.half_parts, filter == Filter::kHalf ? 1 : 0);
  }
}

// Rows that come nearer and nearer overflow every chunk.
TEST_F(NearestTest, TheWorstOrderIsExactToo) {
  constexpr std::int64_t kRows = 9000, kDimension = 8;
  std::vector<float> rows;
  for (std::int64_t i = 0; i < kRows; ++i)
    for (std::int64_t k = 0; k < kDimension; ++k)
      rows.push_back(static_cast<float>(kRows - i) * (k == 0 ? 1.0F : 0.25F));
  Case c{"nearer and nearer", kDimension, std::vector<float>(3 * kDimension, 0.0F), rows, {3}};
  EXPECT_GT(expect_exact(c, Filter::kHalf).repeated, 0);
}

TEST_F(NearestTest, AnyK) {
  constexpr std::int64_t kRows = 4200, kDimension = 8;
  Case c{"many neighbours", kDimension, code_like(3, kDimension, 12), code_like(kRows, kDimension, 13)};
  c.ks = {2048, 2049, kRows + 1};
  for (const Filter filter : {Filter::kNone, Filter::kHalf})
    EXPECT_EQ(expect_exact(c, filter).passes, 1 + 2 + 3);
}

TEST_F(NearestTest, PartsAndMasks) {
  const std::int64_t n = 400;
  Case c{"parts", 24, code_like(11, 24, 14), code_like(n, 24, 15)};
  c.part_rows = n / 3 + 1;
  for (std::int64_t i = 0; i < n; ++i) c.allowed.push_back(i % 3 == 0 || i > n - 9 ? 0 : 1);
  for (const Filter filter : kFilters) expect_exact(c, filter);
  c.allowed.assign(static_cast<std::size_t>(n), 0);
  for (const Filter filter : kFilters) expect_exact(c, filter);
}

// A query's nearest rows, itself among them, are mostly of its own group.
TEST_F(NearestTest, GroupsAreHiddenFromTheirOwnQueries) {
  const std::int64_t n = 400;
  Case c{"groups", 24, {}, code_like(n, 24, 15), {6, 300}};
  c.queries = first(c.rows, 25, c.dimension);
  for (std::int64_t i = 0; i < n; ++i) {
    c.row_groups.push_back(static_cast<std::int32_t>(i % 11 == 10 ? -1 : i % 6));
    c.allowed.push_back(i % 5 == 0 ? 0 : 1);
  }
  c.query_groups.assign(c.row_groups.begin(), c.row_groups.begin() + c.query_count());
  c.part_rows = n / 3 + 1;
  c.batch = 14;
  for (const Filter filter : kFilters) expect_exact(c, filter);
  c.allowed.clear();
  for (const Filter filter : kFilters) expect_exact(c, filter);
}

// Where fp16 or float cannot tell rows apart, or cannot hold them, the filter keeps them.
TEST_F(NearestTest, NumbersThatAreHardToFilter) {
  const std::int64_t n = 140;
  for (const float size : {1e-44F, 1e-30F, 1e-21F, 1e-3F, 1e15F, 1e19F, 1e38F}) {
    Case c{"size " + std::to_string(size), 24, code_like(9, 24, 16), code_like(n, 24, 17), {5}};
    for (float& v : c.queries) v *= size;
    for (float& v : c.rows) v *= size;
    for (const Filter filter : kFilters) expect_exact(c, filter);
  }
  Case far{"far from the origin", 24, code_like(9, 24, 18), code_like(n, 24, 19), {5}};
  for (auto* side : {&far.queries, &far.rows})
    for (float& v : *side) v += 4096.0F;
  for (const Filter filter : kFilters) expect_exact(far, filter);
  Case odd{"rows that are not finite", 24, code_like(9, 24, 20), code_like(n, 24, 21), {5, 300}};
  odd.rows[24 * 3] = kInfinity;
  odd.rows[24 * 7 + 5] = -kInfinity;
  for (const Filter filter : kFilters) expect_exact(odd, filter);
}

TEST_F(NearestTest, FallsBackToFloatWhereOneRowIsHuge) {
  const std::int64_t n = 120;
  Case c{"one huge row", 24, code_like(9, 24, 22), code_like(n, 24, 23), {5}};
  EXPECT_EQ(expect_exact(c, Filter::kAuto).half_parts, 1);
  for (std::size_t i = 0; i < 24; ++i) c.rows[i] = 1e12F;
  EXPECT_EQ(expect_exact(c, Filter::kAuto).float_parts, 1);
  expect_exact(c, Filter::kHalf);
}

// A limit that a caller brings is a limit, and its own distance is still within it.
TEST_F(NearestTest, KeepsTheCallersLimit) {
  const auto rows = code_like(200, 24, 24);
  const auto queries = code_like(9, 24, 25);
  for (const Filter filter : kFilters) {
    cuda::NearestOptions options;
    options.filter = filter;
    cuda::Nearest device(options);
    const auto query = [&](std::int64_t q) {
      return std::span(queries).subspan(static_cast<std::size_t>(q) * 24, 24);
    };
    const auto limit = [&](std::int64_t q) {
      return reference::nearest(query(q), rows, 4).back().squared_distance;
    };
    device.run({queries, rows, 24, {}}, 10, limit,
               [&](std::int64_t q, std::span<const double> distances, std::span<const std::int64_t>) {
                 ASSERT_GE(distances.size(), 4U) << name(filter);
                 EXPECT_LE(distances.back(), limit(q));
               });
  }
}

// One number a vector, all of them in fp16 to the bit but those of two rows, which lie at the limit and seem
// beyond it by 2^-11: what keeps them is the largest residual of all 128 rows, for every query of the block.
TEST_F(NearestTest, KeepsRowsThatSeemTooFarByTheirResidual) {
  constexpr float kNear = 1.0F + 0x1p-11F + 0x1p-20F;
  constexpr std::int64_t kQueries = 128, kRows = 128;
  std::vector<float> rows;
  for (std::int64_t i = 0; i < kRows; ++i) rows.push_back(i % 2 == 0 ? 1.5F : -1.5F);  // of mean 0
  rows[64] = kNear;
  rows[65] = -kNear;
  const std::vector<float> queries(kQueries, 0.0F);
  cuda::NearestOptions options;
  options.filter = Filter::kHalf;
  cuda::Nearest device(options);
  std::vector<std::vector<std::int64_t>> kept(kQueries);
  device.run(
      {queries, rows, 1, {}}, 2,
      [](std::int64_t) { return static_cast<double>(kNear) * static_cast<double>(kNear); },
      [&](std::int64_t q, std::span<const double>, std::span<const std::int64_t> found) {
        auto& of = kept[static_cast<std::size_t>(q)];
        of.insert(of.end(), found.begin(), found.end());
      });
  EXPECT_EQ(device.counts().half_parts, 1);
  EXPECT_EQ(kept, std::vector<std::vector<std::int64_t>>(kQueries, {64, 65}));
}

TEST_F(NearestTest, NothingToSearch) {
  cuda::Nearest device;
  const auto rows = code_like(3, 24, 26);
  const auto limit = [](std::int64_t) { return kInfinity; };
  const auto emit = [](std::int64_t, std::span<const double>, std::span<const std::int64_t>) { FAIL(); };
  device.run({{}, rows, 24, {}}, 5, limit, emit);
  device.run({rows, {}, 24, {}}, 5, limit, emit);
  device.run({rows, rows, 24, {}}, 0, limit, emit);
}

}  // namespace
}  // namespace lookalike::test
