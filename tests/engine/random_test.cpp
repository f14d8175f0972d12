#include "engine/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/topology.h"

namespace lookalike {
namespace {

using testing::ElementsAre;

// The published vectors of Random123 (kat_vectors, philox4x32, 10 rounds). Counter words: index low, index
// high, sub, stream; key words: seed low, seed high.
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_THAT(philox(0, static_cast<Stream>(0), 0, 0),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox(~uint64_t{0}, static_cast<Stream>(0xffffffff), 0xffffffff, ~uint64_t{0}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox(0x299f31d0a4093822, static_cast<Stream>(0x03707344), 0x13198a2e, 0x85a308d3243f6a88),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Shuffled, IsAPermutationOfEverySize) {
  for (const int64_t count : {0, 1, 2, 3, 31, 32, 33, 1000}) {
    auto order = shuffled(count, 7, 3);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<int64_t>(order.size()), count);
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i) << "of " << count;
  }
}

TEST(Shuffled, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(shuffled(100, 1, 0), shuffled(100, 1, 0));
  EXPECT_NE(shuffled(100, 1, 0), shuffled(100, 1, 1));
  EXPECT_NE(shuffled(100, 1, 0), shuffled(100, 2, 0));
}

// The order of a stored run: another value here means that no old run can be resumed.
TEST(Shuffled, StaysTheSameFromVersionToVersion) {
  EXPECT_THAT(shuffled(8, 1, 0), ElementsAre(3, 6, 2, 5, 4, 0, 1, 7));
}

// 24 orders of four, 24,000 shuffles: each about 1,000 times. Five standard deviations are 155.
TEST(Shuffled, EveryOrderIsAsLikely) {
  std::map<std::vector<int64_t>, int> seen;
  for (int64_t epoch = 0; epoch < 24000; ++epoch) ++seen[shuffled(4, 5, epoch)];
  ASSERT_EQ(seen.size(), 24U);
  for (const auto& [order, count] : seen) {
    EXPECT_NEAR(count, 1000, 155) << testing::PrintToString(order);
  }
}

TEST(InitialParameters, AreGlorotUniformWithZeroBiases) {
  const auto parameters = initial_parameters(1);
  ASSERT_EQ(parameters.size(), static_cast<std::size_t>(kParameterCount));
  for (int stage = 0; stage < kStageCount; ++stage) {
    const Stage& shape = kStages[static_cast<std::size_t>(stage)];
    const double limit = std::sqrt(6.0 / (9 * (shape.in_channels + shape.out_channels)));
    const auto kernel = parameters.begin() + kernel_offset(stage);
    double sum = 0, squares = 0;
    for (auto value = kernel; value != kernel + shape.kernel_count(); ++value) {
      ASSERT_LE(std::abs(*value), limit) << shape.name;
      sum += *value;
      squares += double{*value} * *value;
    }
    // Uniform in [-limit, limit]: mean 0, variance limit^2 / 3. Bounds of five standard deviations.
    const double n = shape.kernel_count();
    EXPECT_NEAR(sum / n / limit, 0, 5 / std::sqrt(3 * n)) << shape.name;
    EXPECT_NEAR(squares / n / (limit * limit), 1.0 / 3, 5 * std::sqrt(4.0 / 45 / n)) << shape.name;
    for (int k = 0; k < shape.out_channels; ++k) {
      EXPECT_EQ(parameters[static_cast<std::size_t>(bias_offset(stage) + k)], 0.0F) << shape.name;
    }
  }
  EXPECT_NE(parameters, initial_parameters(2));
}

}  // namespace
}  // namespace lookalike
