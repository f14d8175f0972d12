#include "tests/reference/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike::reference {
namespace {

constexpr std::size_t kDimension = 24;

// Orthonormal to the last bit: `count` of the unit vectors.
std::vector<float> unit_directions(std::size_t count, float length = 1.0F) {
  std::vector<float> directions(count * kDimension, 0.0F);
  for (std::size_t j = 0; j < count; ++j) directions[j * kDimension + (5 * j + 2) % kDimension] = length;
  return directions;
}

std::vector<Extended> sketch_of(const std::vector<float>& code, const std::vector<float>& directions) {
  return sketch(code, std::vector<float>(kDimension, 0.25F), directions);
}

// The largest of |s(q) - s(b)| / |q - b| over random pairs.
Extended largest_ratio(const std::vector<float>& directions) {
  Extended largest = 0;
  for (uint64_t seed = 1; seed < 200; ++seed) {
    const auto q = test::random_floats(kDimension, -1, 2, seed);
    const auto b = test::random_floats(kDimension, -1, 2, 1000 + seed);
    const Extended distance = std::sqrt(exact_squared_distance(q, b));
    const auto sq = sketch_of(q, directions), sb = sketch_of(b, directions);
    largest = std::max(largest, sketch_distance<Extended>(sq, sb) / distance);
  }
  return largest;
}

TEST(Sketch, WorkedByHand) {
  std::vector<float> code(kDimension, 0.25F);
  code[2] += 3.0F;
  code[3] += 4.0F;
  const auto numbers = sketch_of(code, unit_directions(1));
  ASSERT_EQ(numbers.size(), 2U);
  EXPECT_EQ(numbers[0], 3.0L);
  EXPECT_EQ(numbers[1], 4.0L);
}

TEST(Sketch, IsNeverFartherThanTheCodes) {
  for (const std::size_t count : {1U, 7U, 24U}) {
    const Extended ratio = largest_ratio(unit_directions(count));
    EXPECT_LE(ratio, 1.0L + 1e-15L) << count;
    EXPECT_GT(ratio, 0.1L) << count;
  }
  EXPECT_GT(largest_ratio(unit_directions(24)), 1.0L - 1e-15L) << "with every direction nothing is lost";
}

TEST(Sketch, BoundOfDirectionsThatAreNotOrthonormalPaysForTheDefect) {
  const auto long_directions = unit_directions(7, 1.01F);
  const Extended defect = orthonormality_defect(long_directions, kDimension);
  EXPECT_NEAR(static_cast<double>(defect), std::sqrt(7.0) * 0.0201, 1e-6);
  EXPECT_LE(largest_ratio(long_directions), sketch_stretch(defect));
  // Along a direction the sketch moves 1.01 times as far, so 1 would be no bound. The last component hides
  // some of it unless both codes lie in the span.
  std::vector<float> q(kDimension, 0.25F), b = q;
  q[2] += 1.0F;
  const auto sq = sketch_of(q, long_directions), sb = sketch_of(b, long_directions);
  EXPECT_GT(sketch_distance<Extended>(sq, sb), 1.009L);
}

}  // namespace
}  // namespace lookalike::reference
