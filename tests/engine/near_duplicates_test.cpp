// Groups and collapsed lists against brute force over all pairs.
#include "engine/near_duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>

#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using Codes = std::vector<float>;
using Groups = std::vector<std::vector<int64_t>>;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

struct Catalog {
  Codes codes;
  int64_t dimension;

  int64_t rows() const { return std::ssize(codes) / dimension; }
  std::span<const float> code(int64_t row) const {
    return std::span(codes).subspan(as_size(row * dimension), as_size(dimension));
  }
  CodeSource source() const {
    return {rows(), [this](const auto& visit) {
              for (int64_t first = 0; first < rows(); first += 37) {
                const int64_t count = std::min<int64_t>(37, rows() - first);
                visit(first,
                      std::span(codes).subspan(as_size(first * dimension), as_size(count * dimension)));
              }
            }};
  }
  LimitedSearch searched(Device& device) const {
    return [this, &device](const SearchQueries& queries, const SearchLimits& limits) {
      return search(device, queries, source(), limits);
    };
  }
  CodesOfRows reader() const {
    return [this](std::span<const int64_t> rows, std::span<float> out) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::ranges::copy(code(rows[i]), out.begin() + static_cast<std::ptrdiff_t>(i * as_size(dimension)));
      }
    };
  }
  long double squared(int64_t a, int64_t b) const {
    return reference::exact_squared_distance(code(a), code(b));
  }
};

// Smallest row of each row's group: links carried on until nothing changes.
std::vector<int64_t> brute_representatives(const Catalog& catalog, double within) {
  std::vector<int64_t> first(as_size(catalog.rows()));
  std::iota(first.begin(), first.end(), int64_t{0});
  for (bool changed = true; changed;) {
    changed = false;
    for (int64_t a = 0; a < catalog.rows(); ++a) {
      for (int64_t b = 0; b < a; ++b) {
        if (std::sqrt(static_cast<double>(catalog.squared(a, b))) > within) continue;
        const int64_t least = std::min(first[as_size(a)], first[as_size(b)]);
        changed = changed || first[as_size(a)] != least || first[as_size(b)] != least;
        first[as_size(a)] = first[as_size(b)] = least;
      }
    }
  }
  return first;
}

Groups groups_of(const std::vector<int64_t>& representatives) {
  Groups groups;
  for (int64_t first = 0; first < std::ssize(representatives); ++first) {
    std::vector<int64_t> group;
    for (int64_t row = 0; row < std::ssize(representatives); ++row) {
      if (representatives[as_size(row)] == first) group.push_back(row);
    }
    if (group.size() > 1) groups.push_back(group);
  }
  return groups;
}

Catalog clusters(int64_t count, int64_t dimension, double spread, uint64_t seed) {
  test::Random random(seed);
  const Codes centres = test::random_floats(9 * dimension, -1, 1, seed + 1);
  Catalog catalog{{}, dimension};
  for (int64_t r = 0; r < count; ++r) {
    const int64_t centre = random.below(9);
    for (int64_t i = 0; i < dimension; ++i) {
      catalog.codes.push_back(centres[as_size(centre * dimension + i)] +
                              static_cast<float>(spread * random.between(-1, 1)));
    }
  }
  return catalog;
}

Catalog line(int64_t count, float step) {
  Catalog catalog{{}, 1};
  for (int64_t r = 0; r < count; ++r) catalog.codes.push_back(step * static_cast<float>(r));
  return catalog;
}

Catalog equal(int64_t count) { return {Codes(as_size(count * 3), 0.7F), 3}; }

// Within `spread` of each other in each heap.
Catalog two_heaps(int64_t count, double spread = 0.4, float apart = 10) {
  Catalog catalog{test::random_floats(count, 0, spread, 6), 1};
  for (int64_t r = 0; r < count; r += 2) catalog.codes[as_size(r)] += apart;
  return catalog;
}

struct Case {
  const char* name;
  Catalog catalog;
  double within;
};

std::vector<Case> cases() {
  Catalog pairs = clusters(60, 5, 1, 8);
  pairs.codes.insert(pairs.codes.end(), pairs.codes.begin(), pairs.codes.begin() + 50);
  return {{"clusters", clusters(150, 6, 0.1, 3), 0.2},
          {"chains within clusters", clusters(150, 3, 0.3, 4), 0.12},
          {"a line, each a step from the next", line(140, 1), 1},
          {"a line, steps too long", line(50, 1), 0.999},
          {"all equal, more than are asked for at first", equal(170), 0},
          {"copies alone", pairs, 0},
          {"all within", clusters(150, 4, 0.1, 5), 100},
          // 1.7320508075688772, and the square of that is less than 3.
          {"a distance that a square root rounded", {{0, 0, 0, 1, 1, 1, 9, 9, 9}, 3}, std::sqrt(3.0)},
          {"a group of more rows than a block", line(1100, 0.25F), 0.25},
          {"two groups of more than are asked for at first", two_heaps(180), 0.5},
          // Only a row's 90th neighbour and on are of the other heap.
          {"heaps linked by far neighbours alone", two_heaps(180, 0.05, 0.3F), 0.3},
          {"one row", equal(1), 1},
          {"two rows", line(2, 0.5F), 0.5}};
}

TEST(NearDuplicates, GroupsAreThoseOfAllPairs) {
  const auto device = make_cpu_device(2);
  for (const auto& [name, catalog, within] : cases()) {
    NearDuplicates duplicates(catalog.searched(*device), catalog.reader(), catalog.rows(), catalog.dimension,
                              within);
    int64_t last = 0;
    duplicates.find_all([&](int64_t items) {
      EXPECT_GE(items, last);
      last = items;
    });
    EXPECT_EQ(last, catalog.rows()) << name;
    const std::vector<int64_t> expected = brute_representatives(catalog, within);
    EXPECT_EQ(duplicates.groups(), groups_of(expected)) << name;
    for (int64_t row = 0; row < catalog.rows(); ++row) {
      EXPECT_EQ(duplicates.representative(row), expected[as_size(row)]) << name;
    }
  }
}

TEST(NearDuplicates, AGroupIsWholeWhereverItIsEntered) {
  const auto device = make_cpu_device(1);
  for (const auto& [name, catalog, within] : cases()) {
    const std::vector<int64_t> expected = brute_representatives(catalog, within);
    for (int64_t row = 0; row < catalog.rows(); row += 29) {
      NearDuplicates duplicates(catalog.searched(*device), catalog.reader(), catalog.rows(),
                                catalog.dimension, within);
      duplicates.find({&row, 1}, nullptr);
      for (int64_t other = 0; other < catalog.rows(); ++other) {
        if (expected[as_size(other)] != expected[as_size(row)]) continue;
        ASSERT_EQ(duplicates.representative(other), expected[as_size(row)])
            << name << " " << row << " " << other;
      }
    }
  }
}

// The nearest of each group but the query's own.
std::vector<int64_t> brute_collapsed(const Catalog& catalog, int64_t query, int64_t k, bool self,
                                     const std::vector<int64_t>& representatives) {
  std::vector<int64_t> order(as_size(catalog.rows()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(
      order, [&](int64_t a, int64_t b) { return catalog.squared(query, a) < catalog.squared(query, b); });
  std::set<int64_t> shown;
  if (!self) shown.insert(representatives[as_size(query)]);
  std::vector<int64_t> rows;
  for (const int64_t row : order) {
    if (std::ssize(rows) < k && shown.insert(representatives[as_size(row)]).second) rows.push_back(row);
  }
  return rows;
}

TEST(NearDuplicates, ACollapsedListHasTheNearestOfEachGroup) {
  const auto device = make_cpu_device(2);
  for (const auto& [name, catalog, within] : cases()) {
    const std::vector<int64_t> representatives = brute_representatives(catalog, within);
    for (const int64_t k : {int64_t{1}, int64_t{5}, catalog.rows(), int64_t{1} << 40}) {
      for (const bool self : {false, true}) {
        std::vector<int64_t> rows;
        Codes codes;
        for (int64_t row = 0; row < catalog.rows(); row += 13) {
          rows.push_back(row);
          codes.insert(codes.end(), catalog.code(row).begin(), catalog.code(row).end());
        }
        const LimitedSearch searched = catalog.searched(*device);
        NearDuplicates duplicates(searched, catalog.reader(), catalog.rows(), catalog.dimension, within);
        const SearchQueries queries{codes, self ? std::vector<int64_t>() : rows, catalog.dimension};
        SearchLimits limits;
        limits.k = k;
        const auto found = search_collapsed(searched, queries, limits, duplicates, nullptr);
        ASSERT_EQ(found.size(), rows.size());
        for (std::size_t q = 0; q < rows.size(); ++q) {
          std::vector<int64_t> shown;
          for (const Neighbour& neighbour : found[q]) shown.push_back(neighbour.row);
          EXPECT_EQ(shown, brute_collapsed(catalog, rows[q], k, self, representatives))
              << name << " k " << k << " query " << rows[q] << " self " << self;
        }
      }
    }
  }
}

// Whatever k and however large the groups: lists are held a bounded number at a time.
TEST(NearDuplicates, HoldsABoundedNumberOfNeighbours) {
  constexpr int64_t kRows = 3000, kBound = (int64_t{1} << 22) + 1024 * 64;
  const Catalog catalog = two_heaps(kRows);
  const auto device = make_cpu_device(2);
  const LimitedSearch searched = catalog.searched(*device);
  int64_t largest = 0;
  const LimitedSearch counted = [&](const SearchQueries& queries, const SearchLimits& limits) {
    largest = std::max(largest, std::ssize(queries.codes) * std::min(limits.k, kRows));
    return searched(queries, limits);
  };
  NearDuplicates duplicates(counted, catalog.reader(), kRows, 1, 0.5);
  std::vector<int64_t> rows(as_size(kRows));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  SearchLimits limits;
  limits.k = 5;
  const auto found = search_collapsed(counted, {catalog.codes, rows, 1}, limits, duplicates, nullptr);
  for (const auto& list : found) EXPECT_EQ(list.size(), 1U) << "the other heap";
  EXPECT_LE(largest, kBound);
  EXPECT_GT(largest, kBound / 4) << "the bound is near";
}

// What a large group has already is not listed for each of its items again, and no item is searched for
// alone.
TEST(NearDuplicates, ALargeGroupCostsFewSearches) {
  constexpr int64_t kRows = 3000;
  const auto device = make_cpu_device(2);
  const Catalog heap{test::random_floats(kRows, 0, 0.4, 9), 1};
  for (Catalog catalog : {heap, equal(kRows)}) {
    catalog.codes.back() += 9;  // there is a row beside the group
    const LimitedSearch searched = catalog.searched(*device);
    int64_t calls = 0, listed = 0;
    NearDuplicates duplicates(
        [&](const SearchQueries& queries, const SearchLimits& limits) {
          auto found = searched(queries, limits);
          ++calls;
          for (const auto& list : found) listed += std::ssize(list);
          return found;
        },
        catalog.reader(), kRows, catalog.dimension, 0.5);
    duplicates.find_all(nullptr);
    EXPECT_EQ(duplicates.groups().size(), 1U);
    EXPECT_EQ(std::ssize(duplicates.groups()[0]), kRows - 1);
    EXPECT_LE(calls, 12);
    EXPECT_LE(listed, 1024 * 64 + 10 * kRows);
  }
}

// One heap of 200 in a catalog of others: its items' searches meet nothing new, and must not hide others.
TEST(NearDuplicates, LargeGroupsGrowWhereverTheirLinksLead) {
  const auto device = make_cpu_device(2);
  Catalog catalog{test::random_floats(1400, 0, 0.2, 10), 1};  // more than a block, all linked
  for (int64_t r = 1200; r < 1400; ++r) {                     // a chain away from the heap's far end
    catalog.codes[as_size(r)] = 0.2F + 0.3F * static_cast<float>(1400 - r);
  }
  catalog.codes[7] = catalog.codes[1100] = 100;  // a group of two
  NearDuplicates duplicates(catalog.searched(*device), catalog.reader(), 1400, 1, 0.31);
  duplicates.find_all(nullptr);
  EXPECT_EQ(duplicates.groups(), groups_of(brute_representatives(catalog, 0.31)));
}

TEST(NearDuplicates, LooksAtReportWithinABlock) {
  const Catalog catalog = two_heaps(400);
  const auto device = make_cpu_device(1);
  NearDuplicates duplicates(catalog.searched(*device), catalog.reader(), 400, 1, 0.5);
  int calls = 0;
  EXPECT_THROW(duplicates.find_all([&](int64_t items) {
    if (++calls == 2) throw std::runtime_error("stop");
    EXPECT_LT(items, 400);
  }),
               std::runtime_error);
}

TEST(NearDuplicates, StopsAndRefuses) {
  const auto device = make_cpu_device(1);
  const Catalog catalog = clusters(40, 3, 0.1, 1);
  for (const double within : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(NearDuplicates(catalog.searched(*device), catalog.reader(), 40, 3, within),
                 std::invalid_argument);
  }
  NearDuplicates duplicates(catalog.searched(*device), catalog.reader(), 40, 3, 0.1);
  EXPECT_THROW(duplicates.find_all([](int64_t) { throw std::runtime_error("stop"); }), std::runtime_error);
}

}  // namespace
}  // namespace lookalike
