#include "tests/reference/label_measures.h"

#include <gtest/gtest.h>

namespace lookalike::reference {
namespace {

TEST(LabelMeasures, WorkedByHand) {
  const std::vector<bool> ranking = {true, false, true, false, false, true};
  EXPECT_EQ(precision_at(ranking, 1), 1.0L);
  EXPECT_EQ(precision_at(ranking, 2), 0.5L);
  EXPECT_EQ(precision_at(ranking, 5), 0.4L);
  EXPECT_EQ(precision_at(ranking, 10), 0.5L) << "three of the six there are";
  EXPECT_NEAR(static_cast<double>(average_precision(ranking)), (1.0 + 2.0 / 3 + 3.0 / 6) / 3, 1e-15);
  EXPECT_EQ(average_precision({false, false, true}), 1.0L / 3);
  EXPECT_EQ(average_precision({true, true, false}), 1.0L);
}

}  // namespace
}  // namespace lookalike::reference
