#include "engine/label_measures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "tests/reference/label_measures.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

// Ranks these rows; distances do not matter.
std::vector<Neighbour> ranking(const std::vector<int64_t>& rows) {
  std::vector<Neighbour> neighbours;
  for (const int64_t row : rows) neighbours.push_back({static_cast<double>(neighbours.size()), row});
  return neighbours;
}

std::vector<bool> relevance(const std::vector<int>& labels, int64_t query, const std::vector<int64_t>& rows) {
  std::vector<bool> relevant;
  for (const int64_t row : rows) {
    relevant.push_back(labels[static_cast<std::size_t>(row)] == labels[static_cast<std::size_t>(query)]);
  }
  return relevant;
}

std::vector<int64_t> others(int64_t count, int64_t query) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < count; ++row) {
    if (row != query) rows.push_back(row);
  }
  return rows;
}

TEST(LabelJudge, WorkedByHand) {
  // a a a b b c: c is alone under its label.
  LabelJudge judge({0, 0, 0, 1, 1, 2});
  judge.add(0, ranking({1, 3, 2, 4, 5}));  // a b a b c: precision@1 1, @5 2/5, AP (1 + 2/3) / 2
  judge.add(3, ranking({0, 1, 2, 4, 5}));  // the one other b at rank 4: 0, 1/5, 1/4
  judge.add(5, ranking({0, 1, 2, 3, 4}));  // counts nowhere
  const LabelMeasures a = judge.of_label(0), b = judge.of_label(1), c = judge.of_label(2), all = judge.all();
  EXPECT_EQ(a.queries, 1);
  EXPECT_DOUBLE_EQ(a.precision[0], 1);
  EXPECT_DOUBLE_EQ(a.precision[1], 2.0 / 5);
  EXPECT_DOUBLE_EQ(a.precision[2], 2.0 / 5) << "there are but five others";
  EXPECT_DOUBLE_EQ(a.average_precision, 5.0 / 6);
  EXPECT_DOUBLE_EQ(b.precision[0], 0);
  EXPECT_DOUBLE_EQ(b.precision[1], 1.0 / 5);
  EXPECT_DOUBLE_EQ(b.average_precision, 1.0 / 4);
  EXPECT_EQ(c.queries, 0);
  EXPECT_EQ(all.queries, 2);
  EXPECT_DOUBLE_EQ(all.precision[0], 0.5);
  EXPECT_DOUBLE_EQ(all.average_precision, (5.0 / 6 + 1.0 / 4) / 2);
}

TEST(LabelJudge, EqualsTheReferenceOnRandomRankings) {
  constexpr int64_t kItems = 23;
  test::Random random(4);
  std::vector<int> labels;
  for (int64_t i = 0; i < kItems; ++i) labels.push_back(static_cast<int>(random.below(4)));
  LabelJudge judge(labels);
  long double at1 = 0, at5 = 0, at10 = 0, average = 0;
  for (int64_t query = 0; query < kItems; ++query) {
    std::vector<int64_t> rows = others(kItems, query);
    for (std::size_t i = rows.size(); i > 1; --i) {
      std::swap(rows[i - 1], rows[static_cast<std::size_t>(random.below(static_cast<int64_t>(i)))]);
    }
    judge.add(query, ranking(rows));
    const std::vector<bool> relevant = relevance(labels, query, rows);
    at1 += reference::precision_at(relevant, 1) / kItems;
    at5 += reference::precision_at(relevant, 5) / kItems;
    at10 += reference::precision_at(relevant, 10) / kItems;
    average += reference::average_precision(relevant) / kItems;
  }
  const LabelMeasures all = judge.all();
  EXPECT_EQ(all.queries, kItems);
  EXPECT_NEAR(all.precision[0], static_cast<double>(at1), 1e-14);
  EXPECT_NEAR(all.precision[1], static_cast<double>(at5), 1e-14);
  EXPECT_NEAR(all.precision[2], static_cast<double>(at10), 1e-14);
  EXPECT_NEAR(all.average_precision, static_cast<double>(average), 1e-14);
}

// Every order of the others, each as likely as any: 6 items, 120 orders a query.
TEST(LabelJudge, ChanceIsTheMeanOverAllOrders) {
  const std::vector<int> labels = {0, 0, 0, 1, 1, 2};
  LabelJudge all_orders(labels);
  for (int64_t query = 0; query < std::ssize(labels); ++query) {
    std::vector<int64_t> rows = others(std::ssize(labels), query);
    do {
      all_orders.add(query, ranking(rows));
    } while (std::next_permutation(rows.begin(), rows.end()));
  }
  const LabelMeasures expected = all_orders.all(), chance = LabelJudge(labels).chance();
  EXPECT_EQ(chance.queries, 5);
  for (std::size_t i = 0; i < kPrecisionAt.size(); ++i) {
    EXPECT_NEAR(chance.precision[i], expected.precision[i], 1e-12);
  }
  EXPECT_NEAR(chance.average_precision, expected.average_precision, 1e-12);
  const LabelMeasures pair = LabelJudge({7, 7}).chance();
  EXPECT_EQ(pair.precision[0], 1);
  EXPECT_EQ(pair.average_precision, 1);
  EXPECT_EQ(LabelJudge({0, 1, 2}).chance().queries, 0);
}

TEST(LabelJudge, RefusesWhatIsNoRanking) {
  LabelJudge judge({0, 0, 1});
  EXPECT_THROW(judge.add(0, ranking({1})), std::invalid_argument);
  EXPECT_THROW(LabelJudge({0, -1}), std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
