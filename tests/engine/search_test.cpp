// Nearest neighbours against a plain brute force: equal to the bit, in every layout.
#include "engine/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

#include "engine/error.h"
#include "engine/nearest.h"

namespace lookalike {
namespace {

// The definition of kernels/cpu/distance.h, word for word.
double plain_distance(const float* a, const float* b, int64_t dimension) {
  double acc[8] = {};
  for (int64_t i = 0; i < dimension; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    const double square = difference * difference;
    acc[i % 8] += square;
  }
  return ((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7]));
}

std::vector<Neighbour> plain_nearest(const float* query, std::span<const float> rows, int64_t dimension,
                                     int64_t k, std::span<const uint8_t> allowed = {}) {
  std::vector<Neighbour> all;
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()) / dimension; ++r) {
    if (!allowed.empty() && allowed[static_cast<std::size_t>(r)] == 0) continue;
    all.push_back({plain_distance(query, rows.data() + r * dimension, dimension), r});
  }
  std::sort(all.begin(), all.end());
  if (static_cast<int64_t>(all.size()) > k) all.resize(static_cast<std::size_t>(k));
  return all;
}

using Rows = std::vector<float>;

Rows random_rows(int64_t count, int64_t dimension, uint32_t seed, float mean = 0.0F, float spread = 1.0F) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  Rows rows(static_cast<std::size_t>(count * dimension));
  for (float& value : rows) value = mean + spread * normal(generator);
  return rows;
}

// What codes look like: not negative, many zeros, much in common.
Rows code_like_rows(int64_t count, int64_t dimension, uint32_t seed) {
  Rows rows = random_rows(count, dimension, seed);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto column = static_cast<float>(i % static_cast<std::size_t>(dimension));
    rows[i] = std::max(0.0F, rows[i] + 2.0F * std::sin(column));
  }
  return rows;
}

// Few distinct rows, each many times: ties everywhere.
Rows repeated_rows(int64_t count, int64_t dimension, int64_t distinct) {
  const Rows kinds = random_rows(distinct, dimension, 5);
  Rows rows;
  for (int64_t r = 0; r < count; ++r) {
    const auto begin = kinds.begin() + (r * 7 % distinct) * dimension;
    rows.insert(rows.end(), begin, begin + dimension);
  }
  return rows;
}

// Distances far below what float32 can tell from |q|^2 + |r|^2 - 2 q.r.
Rows near_duplicates(int64_t count, int64_t dimension) {
  Rows rows(static_cast<std::size_t>(count * dimension), 10.0F);
  for (int64_t r = 0; r < count; ++r) {
    float& value = rows[static_cast<std::size_t>(r * dimension + r % dimension)];
    value = std::nextafter(value, r % 3 == 0 ? 0.0F : 20.0F);
  }
  return rows;
}

void fill(const SearchBlock& whole, int64_t block_rows, int threads, TopK& best) {
  ThreadPool pool(threads);
  const int64_t count = static_cast<int64_t>(whole.rows.size()) / whole.dimension;
  for (int64_t first = 0; first < count; first += block_rows) {
    const auto rows = static_cast<std::size_t>(std::min(block_rows, count - first));
    SearchBlock block = whole;
    block.rows = whole.rows.subspan(static_cast<std::size_t>(first * whole.dimension),
                                    rows * static_cast<std::size_t>(whole.dimension));
    block.first_row = first;
    if (!whole.allowed.empty()) block.allowed = whole.allowed.subspan(static_cast<std::size_t>(first), rows);
    nearest_on_cpu(block, best, pool);
  }
}

struct Case {
  const char* name;
  Rows rows;
  int64_t dimension;
  int64_t queries;  // the first rows of the catalog, and as many others
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"random", random_rows(203, 29, 1), 29, 20});
  all.push_back({"code-like", code_like_rows(150, kCodeLength, 2), kCodeLength, 9});
  all.push_back({"repeated", repeated_rows(131, 64, 5), 64, 25});
  all.push_back({"all equal", Rows(100 * 16, 0.25F), 16, 30});
  all.push_back({"near duplicates", near_duplicates(120, 128), 128, 30});
  all.push_back({"one number", random_rows(90, 1, 3), 1, 8});
  all.push_back({"one row", random_rows(1, 8, 4), 8, 1});
  all.push_back({"no rows", Rows(), 8, 3});
  all.push_back({"huge", random_rows(60, 24, 6, 0.0F, 1e30F), 24, 12});
  all.push_back({"tiny", random_rows(60, 24, 7, 0.0F, 1e-30F), 24, 12});
  all.push_back({"below normal", random_rows(60, 24, 8, 0.0F, 1e-42F), 24, 12});
  return all;
}

void expect_plain(const Case& c, const Rows& queries, int64_t k,
                  const std::vector<std::vector<Neighbour>>& expected) {
  const auto query_count = static_cast<int64_t>(expected.size());
  for (const int64_t block_rows : {1, 7, 64, 1000}) {
    for (const int threads : {1, 2, 5}) {
      for (const int64_t batch : {int64_t{1}, int64_t{7}, query_count}) {
        SCOPED_TRACE(testing::Message() << c.name << ", k " << k << ", block " << block_rows << ", threads "
                                        << threads << ", batch " << batch);
        for (int64_t q0 = 0; q0 < query_count; q0 += batch) {
          const int64_t n = std::min(batch, query_count - q0);
          SearchBlock whole;
          whole.queries = std::span(queries).subspan(static_cast<std::size_t>(q0 * c.dimension),
                                                     static_cast<std::size_t>(n * c.dimension));
          whole.rows = c.rows;
          whole.dimension = c.dimension;
          TopK best(n, k);
          fill(whole, block_rows, threads, best);
          for (int64_t q = 0; q < n; ++q) {
            ASSERT_EQ(best.take(q), expected[static_cast<std::size_t>(q0 + q)]);
          }
        }
      }
    }
  }
}

TEST(Nearest, EqualsPlainBruteForceInEveryLayout) {
  for (const Case& c : cases()) {
    const int64_t count = static_cast<int64_t>(c.rows.size()) / c.dimension;
    Rows queries(c.rows.begin(), c.rows.begin() + std::min(count, c.queries) * c.dimension);
    const Rows others = random_rows(c.queries, c.dimension, 99);
    queries.insert(queries.end(), others.begin(), others.end());
    for (const int64_t k : {int64_t{1}, int64_t{10}, count, count + 5}) {
      std::vector<std::vector<Neighbour>> expected;
      for (std::size_t q = 0; q < queries.size(); q += static_cast<std::size_t>(c.dimension)) {
        expected.push_back(plain_nearest(queries.data() + q, c.rows, c.dimension, k));
      }
      expect_plain(c, queries, k, expected);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Nearest, BlocksMayComeInAnyOrder) {
  // Ties, settled in the first numbers of a long row: the smaller row must win though it comes last. Some
  // rows are farther by their last numbers alone.
  const int64_t d = 1100, count = 60, block = 12;
  Rows rows(static_cast<std::size_t>(count * d), 0.5F);
  for (int64_t r = 0; r < count; ++r)
    rows[static_cast<std::size_t>(r * d + r % 5)] += r % 2 == 0 ? 1.0F : 2.0F;
  for (int64_t r = 3; r < count; r += 7) rows[static_cast<std::size_t>(r * d + 1000)] += 1.0F;
  ThreadPool pool(2);
  for (const int64_t queries : {1, 20}) {
    for (const int64_t k : {1, 2, 7, 20}) {
      TopK best(queries, k);
      for (int64_t first = count - block; first >= 0; first -= block) {
        SearchBlock some;
        some.queries = std::span(rows).first(static_cast<std::size_t>(queries * d));
        some.rows =
            std::span(rows).subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(block * d));
        some.dimension = d;
        some.first_row = first;
        nearest_on_cpu(some, best, pool);
      }
      for (int64_t q = 0; q < queries; ++q) {
        ASSERT_EQ(best.take(q), plain_nearest(rows.data() + q * d, rows, d, k))
            << "query " << q << ", k " << k;
      }
    }
  }
}

TEST(Nearest, FloatOverflowHidesNoRow) {
  // The nearest row's dot product is minus infinity in float.
  const int64_t d = 8;
  Rows rows(static_cast<std::size_t>(30 * d), 1e25F);
  std::fill_n(rows.begin() + 20 * d, d, 0.0F);
  rows[20 * d] = -2e19F;
  Rows queries(static_cast<std::size_t>(12 * d), 0.0F);
  for (std::size_t q = 0; q < queries.size(); q += static_cast<std::size_t>(d)) queries[q] = 2e19F;
  SearchBlock whole;
  whole.queries = queries;
  whole.rows = rows;
  whole.dimension = d;
  TopK best(12, 1);
  fill(whole, 4, 1, best);
  for (int64_t q = 0; q < 12; ++q) EXPECT_EQ(best.list(q).front().row, 20);
}

TEST(Nearest, LeavesOutRowsThatTheMaskForbids) {
  const int64_t d = 40, count = 200;
  const Rows rows = repeated_rows(count, d, 11);
  std::vector<uint8_t> allowed(static_cast<std::size_t>(count));
  for (std::size_t r = 0; r < allowed.size(); ++r) allowed[r] = r % 3 == 0 ? 1 : 0;
  for (const int64_t queries : {1, 30}) {
    SearchBlock whole;
    whole.queries = std::span(rows).first(static_cast<std::size_t>(queries * d));
    whole.rows = rows;
    whole.dimension = d;
    whole.allowed = allowed;
    TopK best(queries, 9);
    fill(whole, 64, 2, best);
    for (int64_t q = 0; q < queries; ++q) {
      ASSERT_EQ(best.take(q), plain_nearest(rows.data() + q * d, rows, d, 9, allowed));
    }
  }
}

TEST(Nearest, FirstHundredOfThousandAreTheHundred) {
  const int64_t d = 32;
  const Rows rows = repeated_rows(3000, d, 40);
  SearchBlock whole;
  whole.queries = std::span(rows).first(static_cast<std::size_t>(8 * d));
  whole.rows = rows;
  whole.dimension = d;
  TopK hundred(8, 100), thousand(8, 1000);
  fill(whole, 512, 2, hundred);
  fill(whole, 7, 1, thousand);
  for (int64_t q = 0; q < 8; ++q) {
    const auto few = hundred.list(q), many = thousand.list(q).first(100);
    ASSERT_TRUE(std::equal(few.begin(), few.end(), many.begin(), many.end()));
  }
}

TEST(Nearest, RowsThatAreNotNumbersAreNeverNear) {
  const int64_t d = 16;
  Rows rows = random_rows(50, d, 12);
  rows[3 * d + 5] = std::nanf("");
  SearchBlock whole;
  whole.queries = std::span(rows).last(static_cast<std::size_t>(10 * d));
  whole.rows = rows;
  whole.dimension = d;
  TopK best(10, 50);
  fill(whole, 20, 2, best);
  for (int64_t q = 0; q < 10; ++q) {
    EXPECT_EQ(best.list(q).size(), 49U);
    for (const Neighbour& neighbour : best.list(q)) EXPECT_NE(neighbour.row, 3);
  }
}

TEST(TopKLists, HoldTheSmallestInAnyOrderOfArrival) {
  std::mt19937 generator(3);
  std::vector<Neighbour> arrivals;
  for (int64_t r = 0; r < 500; ++r) arrivals.push_back({static_cast<double>(generator() % 40), r});
  auto sorted = arrivals;
  std::sort(sorted.begin(), sorted.end());
  for (const std::size_t k : {std::size_t{1}, std::size_t{17}, std::size_t{499}, std::size_t{500}}) {
    std::shuffle(arrivals.begin(), arrivals.end(), generator);
    TopK best(1, static_cast<int64_t>(k));
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      best.insert(0, arrivals[i]);
      if (i % 50 == 7) {  // looking at the list changes nothing
        EXPECT_TRUE(std::is_sorted(best.list(0).begin(), best.list(0).end()));
        const bool full = best.list(0).size() == k;
        EXPECT_EQ(best.limit(0), full ? best.list(0).back().squared_distance : INFINITY);
      }
    }
    EXPECT_EQ(best.take(0), std::vector(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(k)));
  }
  TopK none(1, 0);
  none.insert(0, {1.0, 1});
  EXPECT_TRUE(none.list(0).empty());
}

TEST(TopKLists, HoldNothingBeyondTheirRadius) {
  TopK best(1, 2, 5.0);
  EXPECT_EQ(best.limit(0), 5.0);
  best.insert(0, {std::nextafter(5.0, 6.0), 1});
  best.insert(0, {INFINITY, 2});
  EXPECT_TRUE(best.list(0).empty());
  best.insert(0, {5.0, 3});
  EXPECT_EQ(best.limit(0), 5.0);
  best.insert(0, {4.0, 4});
  best.insert(0, {std::nextafter(5.0, 6.0), 0});
  EXPECT_EQ(best.take(0), (std::vector<Neighbour>{{4.0, 4}, {5.0, 3}}));
}

// Only searches.
class SearchOnly : public Device {
 public:
  void set_parameters(std::span<const float>) override { refuse(); }
  void get_parameters(std::span<float>) const override { refuse(); }
  void set_optimizer(const OptimizerState&) override { refuse(); }
  OptimizerState optimizer() const override { return refuse(), OptimizerState(); }
  void encode(std::span<const uint8_t>, std::span<float>) override { refuse(); }
  void decode(std::span<const float>, std::span<uint8_t>) override { refuse(); }
  double loss(std::span<const uint8_t>) override { return refuse(), 0.0; }
  double train_step(std::span<const uint8_t>, const AdamOptions&) override { return refuse(), 0.0; }
  void nearest(const SearchBlock& block, TopK& best) override { nearest_on_cpu(block, best, pool_); }
  DeviceFacts facts() const override { return {}; }

 private:
  ThreadPool pool_{2};
  static void refuse() { throw std::logic_error("this device only searches"); }
};

CodeSource in_blocks(const Rows& rows, int64_t block_rows) {
  const int64_t count = static_cast<int64_t>(rows.size()) / kCodeLength;
  return {count, [&rows, count, block_rows](const auto& visit) {
            for (int64_t first = 0; first < count; first += block_rows) {
              visit(first, std::span(rows).subspan(
                               static_cast<std::size_t>(first * kCodeLength),
                               static_cast<std::size_t>(std::min(block_rows, count - first) * kCodeLength)));
            }
          }};
}

TEST(Search, LeavesTheQuerysOwnRowOut) {
  SearchOnly device;
  for (const Rows& rows : {code_like_rows(40, kCodeLength, 8), repeated_rows(40, kCodeLength, 3),
                           Rows(static_cast<std::size_t>(40 * kCodeLength), 1.0F)}) {
    SearchQueries queries;
    queries.codes = std::span(rows).first(static_cast<std::size_t>(20 * kCodeLength));
    for (int64_t q = 0; q < 20; ++q) queries.self_rows.push_back(q == 4 ? -1 : q);
    for (const int64_t k : {1, 5, 39, 40, 1000}) {
      const auto results = search(device, queries, in_blocks(rows, 7), k);
      ASSERT_EQ(results.size(), 20U);
      for (int64_t q = 0; q < 20; ++q) {
        auto expected = plain_nearest(rows.data() + q * kCodeLength, rows, kCodeLength, 40);
        if (q != 4) std::erase_if(expected, [q](const Neighbour& n) { return n.row == q; });
        if (static_cast<int64_t>(expected.size()) > k) expected.resize(static_cast<std::size_t>(k));
        ASSERT_EQ(results[static_cast<std::size_t>(q)], expected) << "query " << q << ", k " << k;
      }
    }
  }
}

TEST(Search, KeepsTheRowItselfAtDistanceZeroWhenAsked) {
  SearchOnly device;
  const Rows rows = code_like_rows(30, kCodeLength, 9);
  SearchQueries queries;
  queries.codes = rows;
  const auto results = search(device, queries, in_blocks(rows, 16), 2);
  for (int64_t q = 0; q < 30; ++q) {
    EXPECT_EQ(results[static_cast<std::size_t>(q)].front(), (Neighbour{0.0, q}));
  }
}

TEST(Search, TakesWhatTheLimitsAllow) {
  SearchOnly device;
  const Rows rows = repeated_rows(60, kCodeLength, 7);
  std::vector<uint8_t> mask(60);
  for (std::size_t r = 0; r < 60; ++r) mask[r] = r % 3 != 1;
  SearchQueries queries;
  queries.codes = std::span(rows).first(static_cast<std::size_t>(30 * kCodeLength));
  for (int64_t q = 0; q < 30; ++q) queries.self_rows.push_back(q);
  // A radius that is the distance of some rows, one just below it, and one that leaves nothing.
  const double far = plain_nearest(rows.data(), rows, kCodeLength, 60)[25].squared_distance;
  for (const double most : {far, std::nextafter(far, 0.0), 0.0, -1.0, static_cast<double>(INFINITY)}) {
    for (const bool masked : {false, true}) {
      const std::span<const uint8_t> allowed = masked ? std::span<const uint8_t>(mask) : std::span<uint8_t>();
      for (const int64_t k : {1, 4, 59, 60, 1000}) {
        const auto results = search(device, queries, in_blocks(rows, 7), {k, most, allowed});
        for (int64_t q = 0; q < 30; ++q) {
          auto expected = plain_nearest(rows.data() + q * kCodeLength, rows, kCodeLength, 60, allowed);
          std::erase_if(expected,
                        [&](const Neighbour& n) { return n.row == q || n.squared_distance > most; });
          if (std::ssize(expected) > k) expected.resize(static_cast<std::size_t>(k));
          ASSERT_EQ(results[static_cast<std::size_t>(q)], expected) << q << ", k " << k << ", most " << most;
        }
      }
    }
  }
  const std::vector<uint8_t> short_mask(59, 1);
  EXPECT_THROW(search(device, queries, in_blocks(rows, 7), {1, 1.0, short_mask}), std::logic_error);
}

TEST(Search, AsksTheSourceFirst) {
  SearchOnly device;
  const Rows rows = random_rows(9, kCodeLength, 11);
  CodeSource source = in_blocks(rows, 4);
  bool can = false;
  source.nearest = [&](std::span<const float>, const SearchLimits& limits, TopK& best) {
    EXPECT_EQ(limits.k, 2);
    best.insert(0, {0.5, 8});
    return can;
  };
  const std::span<const float> query = std::span(rows).first(std::size_t{kCodeLength});
  EXPECT_EQ(search(device, {query, {}}, source, 2)[0], plain_nearest(rows.data(), rows, kCodeLength, 2))
      << "what it left behind does not count";
  can = true;
  EXPECT_EQ(search(device, {query, {}}, source, 2)[0], (std::vector<Neighbour>{{0.5, 8}}));
}

TEST(Search, AnEmptyCatalogHasNoNeighbours) {
  SearchOnly device;
  const Rows none, query = random_rows(1, kCodeLength, 1);
  const auto results = search(device, {query, {}}, in_blocks(none, 8), 5);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(results[0].empty());
  EXPECT_TRUE(search(device, {none, {}}, in_blocks(query, 8), 5).empty());
}

TEST(Search, RefusesWhatIsNotANumber) {
  SearchOnly device;
  const Rows rows = random_rows(4, kCodeLength, 1);
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    Rows query = random_rows(2, kCodeLength, 2);
    query[kCodeLength + 17] = bad;
    try {
      search(device, {query, {}}, in_blocks(rows, 8), 1);
      FAIL() << "accepted " << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_THAT(std::string(error.what()), testing::HasSubstr("position 17"));
    }
  }
  EXPECT_THROW(search(device, {rows, {}}, in_blocks(rows, 8), 0), Error);
}

}  // namespace
}  // namespace lookalike
