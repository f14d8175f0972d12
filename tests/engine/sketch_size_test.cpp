#include "engine/sketch_size.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/inputs.h"

namespace lookalike {
namespace {

// Rows that differ along `axes` directions alone, each as much as any other.
std::vector<float> flat_rows(int64_t count, int64_t dimension, int64_t axes) {
  test::Random random(3);
  const auto d = static_cast<std::size_t>(dimension);
  const std::vector<float> directions = test::random_floats(axes * dimension, -1, 1, 4);
  std::vector<float> rows(static_cast<std::size_t>(count * dimension));
  for (std::size_t r = 0; r < static_cast<std::size_t>(count); ++r) {
    for (std::size_t a = 0; a < static_cast<std::size_t>(axes); ++a) {
      const auto weight = static_cast<float>(random.between(-1, 1));
      for (std::size_t i = 0; i < d; ++i) rows[r * d + i] += weight * directions[a * d + i];
    }
  }
  return rows;
}

int64_t chosen(int64_t axes, int64_t rows, int threads) {
  ThreadPool pool(threads);
  const std::vector<float> sample = flat_rows(600, 320, axes);
  return choose_sketch_bytes(Sketcher(fit_projection(sample, 320, 127, pool)), sample, rows, pool);
}

TEST(ChooseSketchBytes, FollowsWhatTheDataNeed) {
  EXPECT_EQ(chosen(6, 600, 1), 16) << "more could not let fewer rows through";
  EXPECT_EQ(chosen(100, 600, 1), 128) << "fewer would let nearly all through";
  EXPECT_EQ(chosen(100, 600, 3), 128);
}

TEST(ChooseSketchBytes, IsNoneWhereMeasuringAllIsAsCheap) {
  ThreadPool pool(1);
  const std::vector<float> one(320, 0.5F), equal(static_cast<std::size_t>(40 * 320), 0.5F);
  EXPECT_EQ(choose_sketch_bytes(Sketcher(fit_projection(one, 320, 9, pool)), one, 1, pool), 0);
  EXPECT_EQ(choose_sketch_bytes(Sketcher(fit_projection(equal, 320, 100, pool)), equal, 100'000, pool), 0);
  EXPECT_EQ(chosen(300, 600, 1), 0) << "no direction is worth more than another";
}

}  // namespace
}  // namespace lookalike
