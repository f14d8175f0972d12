// The squared distance is defined to the bit, so every comparison is of bits.
#include "kernels/cpu/distance.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "engine/device.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

class Distance : public TargetTest {};

// Pairs of rows of every kind of float that is finite.
std::vector<std::pair<std::string, std::vector<float>>> rows(int64_t dimension) {
  std::vector<std::pair<std::string, std::vector<float>>> result = {
      {"codes", random_floats(dimension, 0.0, 4.0, 111)},
      {"more codes", random_floats(dimension, 0.0, 4.0, 112)},
      {"near 1", random_floats(dimension, 1.0, 1.0000005, 113)},
      {"wide", random_floats(dimension, -1e6, 1e6, 114)},
      {"zeros", std::vector<float>(static_cast<std::size_t>(dimension))}};
  Random random(115);
  std::vector<float> bits(static_cast<std::size_t>(dimension));
  for (float& value : bits) {
    do {
      value = std::bit_cast<float>(static_cast<uint32_t>(random.below(int64_t{1} << 32)));
    } while (!std::isfinite(value));
  }
  result.emplace_back("any bits", bits);
  std::vector<float> extremes;
  for (int64_t i = 0; i < dimension; ++i) {
    const std::array<float, 5> values = {
        std::numeric_limits<float>::max(), -std::numeric_limits<float>::max(),
        std::numeric_limits<float>::denorm_min(), -0.0F, -std::numeric_limits<float>::min() / 3.0F};
    extremes.push_back(values[static_cast<std::size_t>(random.below(5))]);
  }
  result.emplace_back("extremes", extremes);
  std::vector<float> denormals(static_cast<std::size_t>(dimension));
  for (float& value : denormals) value = std::bit_cast<float>(static_cast<uint32_t>(random.below(1 << 23)));
  result.emplace_back("denormals", denormals);
  return result;
}

std::vector<int64_t> dimensions() {
  std::vector<int64_t> all;
  for (int64_t dimension = 0; dimension <= 40; ++dimension) all.push_back(dimension);
  all.insert(all.end(), {127, 128, 129, 1000, 2887, 2888, 2889});
  return all;
}

TEST_P(Distance, EqualsTheDefinitionToTheBit) {
  for (const int64_t dimension : dimensions()) {
    const auto all = rows(dimension);
    for (const auto& [a_name, a] : all)
      for (const auto& [b_name, b] : all) {
        const double expected = reference::squared_distance(a, b);
        ASSERT_EQ(std::bit_cast<uint64_t>(cpu::squared_distance(a.data(), b.data(), dimension)),
                  std::bit_cast<uint64_t>(expected))
            << dimension << " dimensions, " << a_name << " to " << b_name << ": expected " << expected;
      }
  }
}

// A search of all pairs measures each once.
TEST_P(Distance, IsSymmetricToTheBit) {
  for (const int64_t dimension : dimensions()) {
    const auto all = rows(dimension);
    for (const auto& [a_name, a] : all)
      for (const auto& [b_name, b] : all) {
        const double there = cpu::squared_distance(a.data(), b.data(), dimension);
        const double back = cpu::squared_distance(b.data(), a.data(), dimension);
        ASSERT_EQ(std::bit_cast<uint64_t>(there), std::bit_cast<uint64_t>(back))
            << dimension << " dimensions, " << a_name << " and " << b_name;
        ASSERT_EQ(cpu::squared_distance_within(b.data(), a.data(), dimension, there), there)
            << dimension << " dimensions, " << a_name << " and " << b_name;
      }
  }
}

TEST_P(Distance, RowsNeedNoAlignment) {
  const std::vector<float> a = random_floats(2900, -1.0, 1.0, 116);
  const std::vector<float> b = random_floats(2900, -1.0, 1.0, 117);
  for (std::size_t shift = 0; shift < 5; ++shift) {
    const auto a_row = std::span(a).subspan(shift, 2888);
    const auto b_row = std::span(b).subspan(2 * shift, 2888);
    EXPECT_EQ(cpu::squared_distance(a_row.data(), b_row.data(), 2888),
              reference::squared_distance(a_row, b_row));
  }
}

TEST_P(Distance, WithinALimitIsTheSameOrAboveIt) {
  for (const int64_t dimension : dimensions()) {
    const auto all = rows(dimension);
    for (const auto& [a_name, a] : all)
      for (const auto& [b_name, b] : all) {
        const double exact = reference::squared_distance(a, b);
        for (const double limit : {exact, exact * 2.0, std::numeric_limits<double>::infinity()})
          ASSERT_EQ(cpu::squared_distance_within(a.data(), b.data(), dimension, limit), exact)
              << dimension << " dimensions, " << a_name << " to " << b_name << ", limit " << limit;
        for (const double limit : {std::nextafter(exact, 0.0), exact / 2.0, 0.0}) {
          if (exact > limit) {
            ASSERT_GT(cpu::squared_distance_within(a.data(), b.data(), dimension, limit), limit)
                << dimension << " dimensions, " << a_name << " to " << b_name;
          }
        }
      }
  }
}

// Small integers at few places: most distances have equals, which only the row can order.
TEST_P(Distance, NearestEqualsLookingAtEveryRow) {
  for (const int64_t dimension : {1, 3, 8, 130, kCodeLength}) {
    const int64_t count = 70;
    Random random(118);
    std::vector<float> catalog(static_cast<std::size_t>(count * dimension));
    for (int64_t row = 0; row < count; ++row)
      for (int64_t i = 0; i < dimension; i += 1 + dimension / 4)
        catalog[static_cast<std::size_t>(row * dimension + i)] = static_cast<float>(random.below(3));
    std::vector<uint8_t> allowed(static_cast<std::size_t>(count));
    for (uint8_t& flag : allowed) flag = random.below(4) > 0 ? 1 : 0;
    const int64_t queries = 9;
    const auto device = make_cpu_device(2);
    for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{5}, count, count + 3})
      for (const int64_t split : {int64_t{0}, int64_t{1}, int64_t{33}, count}) {
        TopK best(queries, k);
        const auto block = [&](int64_t first, int64_t last) {
          device->nearest(
              {.queries = std::span(catalog).first(static_cast<std::size_t>(queries * dimension)),
               .rows = std::span(catalog).subspan(static_cast<std::size_t>(first * dimension),
                                                  static_cast<std::size_t>((last - first) * dimension)),
               .dimension = dimension,
               .first_row = first,
               .allowed = std::span(allowed).subspan(static_cast<std::size_t>(first),
                                                     static_cast<std::size_t>(last - first))},
              best);
        };
        block(split, count);  // the later rows first: the order of arrival must not matter
        block(0, split);
        for (int64_t q = 0; q < queries; ++q) {
          const auto query = std::span(catalog).subspan(static_cast<std::size_t>(q * dimension),
                                                        static_cast<std::size_t>(dimension));
          const auto expected = reference::nearest(query, catalog, k, allowed);
          const auto list = best.list(q);
          ASSERT_EQ(std::vector<Neighbour>(list.begin(), list.end()), expected)
              << dimension << " dimensions, k " << k << ", split at " << split << ", query " << q;
        }
      }
  }
}

LOOKALIKE_FOR_EACH_TARGET(Distance);

}  // namespace
}  // namespace lookalike::test
