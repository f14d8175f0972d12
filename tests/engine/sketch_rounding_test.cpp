// No rounding on the way to a bound loses a row: each of these catalogs makes one of them count.
#include <gtest/gtest.h>

#include <optional>

#include "tests/engine/sketch_cases.h"

namespace lookalike {
namespace {

using namespace test::sketches;

TEST(NearestBySketch, AnyProjectionIsExact) {
  Case c = cases()[1];
  const Rows queries = queries_of(c, 30);
  const Lists expected = brute_force(c, queries, 10);
  SketchProjection projection = fitted(c);
  for (float& value : projection.directions) value *= 1.01F;
  const test::MemoryCatalog longer(c.rows, projection);
  EXPECT_EQ(find(longer.view(), queries, 10, 2, 30).lists, expected);
  projection.directions = test::random_floats(std::ssize(projection.directions), -2, 2, 8);
  projection.mean = test::random_floats(c.d, -50, 50, 9);
  const test::MemoryCatalog any(c.rows, projection);
  EXPECT_EQ(find(any.view(), queries, 10, 2, 30).lists, expected);
}

// Rows along a direction that is too long, and rows across it, whose sketches are as long as they are: of two
// that are as far, the first seem farther by the stretch. In double and from the mean, as larger errors would
// make up for it.
void expect_stretch(float length, const std::optional<ByteSketcher>& bytes) {
  Case c = {"cross", {}, 4, 1};
  test::Random random(4);
  for (int64_t r = 0; r < 12'300; ++r) {
    const auto far = static_cast<float>(random.between(0, 40));
    const bool across = r % 2 == 0;
    c.rows.insert(c.rows.end(), {across ? 0.0F : far, across ? far : 0.0F, 0.0F, 0.0F});
  }
  test::MemoryCatalog catalog(c.rows, {4, Rows(4, 0.0F), {length, 0.0F, 0.0F, 0.0F}}, 128, true);
  if (bytes) catalog.use(*bytes);
  const Rows queries(4 * 4, 0.0F);
  for (const int64_t k : {50, 300, 6000, 12'000}) {
    EXPECT_EQ(find(catalog.view(), queries, k, 1, 4).lists, brute_force(c, queries, k)) << k;
  }
}

TEST(NearestBySketch, DirectionsThatAreTooLongLoseNoRow) { expect_stretch(1.01F, {}); }

TEST(NearestBySketch, StretchIsPaidByTheBytesToo) { expect_stretch(2, ByteSketcher({0.0F, 0.0F}, 1)); }

Case scattered_on_a_line() {
  Case c = {"line", {}, 2, 1};
  test::Random random(4);
  for (int64_t r = 0; r < 3000; ++r) {
    c.rows.insert(c.rows.end(), {static_cast<float>(random.between(-100, 100)), 0.0F});
  }
  return c;
}

// Steps of the length of the neighbours' distances: 0.49 becomes 0 and 0.51 becomes 1, where 0.02 lies
// between.
TEST(NearestBySketch, RoundingToBytesLosesNoRow) {
  const Case c = scattered_on_a_line();
  test::MemoryCatalog catalog(c.rows, {2, Rows(2, 0.0F), {1.0F, 0.0F}});
  const Rows queries(c.rows.begin(), c.rows.begin() + 2 * 200);
  for (const double step : {0.2, 1.0, 7.0}) {
    catalog.use(ByteSketcher({0.0F, 0.0F}, step));
    for (const int64_t k : {2, 5}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 200).lists, brute_force(c, queries, k)) << step;
    }
  }
}

TEST(NearestBySketch, RoundingOfFineSketchesLosesNoRow) {
  const Case c = scattered_on_a_line();
  test::MemoryCatalog catalog(c.rows, {2, Rows(2, 0.0F), {1.0F, 0.0F}});
  const Rows queries(c.rows.begin(), c.rows.begin() + 2 * 200);
  // So coarse that the scan lets all through.
  catalog.use(ByteSketcher({0.0F, 0.0F}, 1000));
  for (const float step : {0.0F, 0.2F, 1.0F, 7.0F}) {
    catalog.use(FineSketcher({0.0F, 0.0F}, {step, step}));
    for (const int64_t k : {2, 5}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 200).lists, brute_force(c, queries, k)) << step;
    }
  }
}

// On a line, codes are multiples of u from 960 on, sketches 100 more, where floats are 2 u apart: even
// multiples are kept, odd ones move by u. Of two rows as near as one another the one that seems farther is
// the first.
TEST(NearestBySketch, RoundingToFloatLosesNoRow) {
  const float u = 0x1p-14F;
  const auto line = [&](int64_t odd) {
    Rows rows;
    for (int64_t i = 0; i < 2500; ++i) {
      const int64_t place = 2 * (i * 1237 % 2500) + odd;
      rows.insert(rows.end(), {960 + static_cast<float>(place) * u, 50.0F});
    }
    return rows;
  };
  for (const int64_t odd : {0, 1}) {  // of the rows; the queries are the others
    const Case c = {"line", line(odd), 2, 1};
    const test::MemoryCatalog catalog(c.rows, {2, {-100.0F, 0.0F}, {1.0F, 0.0F}});
    const Rows queries = line(1 - odd);
    for (const int64_t k : {1, 3}) {
      ASSERT_EQ(find(catalog.view(), queries, k, 1, 500).lists, brute_force(c, queries, k))
          << odd << ", " << k;
    }
  }
}

}  // namespace
}  // namespace lookalike
