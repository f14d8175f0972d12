// A query gets no row of its own group: every search against the reference with a mask for each query.
#include "engine/row_groups.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/nearest.h"
#include "engine/search.h"
#include "engine/sketch_search.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using Lists = std::vector<std::vector<Neighbour>>;

constexpr int64_t kDimension = 12, kKinds = 5;

// Rows in kKinds heaps far apart, some of them equal; a row's group is mostly its heap, so that a query's
// nearest rows are those that it may not get.
struct Grouped {
  explicit Grouped(int64_t rows, int64_t query_count = 60) {
    const auto noise = test::random_floats(rows * kDimension, -1, 1, 7);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < kDimension; ++i) {
        const auto own = static_cast<std::size_t>(r % 11 == 0 ? i : r * kDimension + i);
        codes.push_back(noise[own] + (r % kKinds == i ? 8.0F : 0.0F));
      }
      of_rows.push_back(static_cast<int32_t>(r % 13 == 0 ? -1 : r % kKinds));
      allowed.push_back(r % 7 == 3 ? 0 : 1);
    }
    const auto others = test::random_floats(query_count * kDimension, -1, 8, 8);
    for (int64_t q = 0; q < query_count; ++q) {
      const float* from = q % 3 == 0 || rows == 0 ? others.data() + q * kDimension
                                                  : codes.data() + q * 17 % rows * kDimension;
      queries.insert(queries.end(), from, from + kDimension);
      of_queries.push_back(q % 3 == 0 || rows == 0 ? static_cast<int32_t>(q % 9 - 1)  // some of no row
                                                   : of_rows[static_cast<std::size_t>(q * 17 % rows)]);
    }
  }

  RowGroups groups() const { return {of_rows, of_queries}; }
  int64_t rows() const { return std::ssize(of_rows); }
  int64_t query_count() const { return std::ssize(of_queries); }
  std::span<const float> query(int64_t first, int64_t count = 1) const {
    return std::span(queries).subspan(static_cast<std::size_t>(first * kDimension),
                                      static_cast<std::size_t>(count * kDimension));
  }

  Lists brute_force(int64_t k, bool masked) const {
    Lists lists;
    for (int64_t q = 0; q < query_count(); ++q) {
      const int32_t own = of_queries[static_cast<std::size_t>(q)];
      std::vector<uint8_t> mine(of_rows.size(), 1);
      for (std::size_t r = 0; r < mine.size(); ++r) {
        if ((own >= 0 && of_rows[r] == own) || (masked && allowed[r] == 0)) mine[r] = 0;
      }
      // An empty mask allows all.
      lists.push_back(rows() == 0 ? std::vector<Neighbour>() : reference::nearest(query(q), codes, k, mine));
    }
    return lists;
  }

  std::vector<float> codes, queries;
  std::vector<int32_t> of_rows, of_queries;
  std::vector<uint8_t> allowed;
};

Lists by_sketch(const Grouped& all, const test::MemoryCatalog& catalog, int64_t k, bool masked, int threads,
                int64_t batch) {
  ThreadPool pool(threads);
  Lists lists;
  for (int64_t first = 0; first < all.query_count(); first += batch) {
    const int64_t some = std::min(batch, all.query_count() - first);
    SketchSearchOptions options;
    if (masked) options.allowed = all.allowed;
    options.groups = all.groups().of_queries(first, some);
    TopK best(some, k);
    nearest_by_sketch(catalog.view(), all.query(first, some), options, best, pool);
    for (int64_t q = 0; q < some; ++q) lists.push_back(best.take(q));
  }
  return lists;
}

TEST(RowGroups, AreHiddenFromTheirQueriesBySketch) {
  ThreadPool pool(1);
  for (const int64_t rows : {0, 1, 1023, 1025, 2300}) {
    const Grouped all(rows);
    const Grouped sample(300);
    const test::MemoryCatalog catalog(all.codes, fit_projection(sample.codes, kDimension, 4, pool));
    for (const bool masked : {false, true}) {
      for (const int64_t k : {int64_t{1}, int64_t{10}, int64_t{100}, rows + 1}) {
        const Lists expected = all.brute_force(k, masked);
        for (const int threads : {1, 2}) {
          for (const int64_t batch : {1, 7, 60}) {
            ASSERT_EQ(by_sketch(all, catalog, k, masked, threads, batch), expected)
                << rows << " rows, k " << k << ", threads " << threads << ", batch " << batch;
          }
        }
      }
    }
  }
}

TEST(RowGroups, AreHiddenFromTheirQueriesByThePlainScan) {
  const Grouped all(230);
  for (const bool masked : {false, true}) {
    for (const int64_t k : {1, 10, 231}) {
      const Lists expected = all.brute_force(k, masked);
      for (const int threads : {1, 2}) {
        ThreadPool pool(threads);
        for (const int64_t batch : {1, 60}) {
          for (int64_t first = 0; first < all.query_count(); first += batch) {
            TopK best(batch, k);
            for (int64_t row = 0; row < all.rows(); row += 100) {
              const int64_t some = std::min<int64_t>(100, all.rows() - row);
              SearchBlock block;
              block.queries = all.query(first, batch);
              block.rows = std::span(all.codes).subspan(static_cast<std::size_t>(row * kDimension),
                                                        static_cast<std::size_t>(some * kDimension));
              block.dimension = kDimension;
              block.first_row = row;
              if (masked) {
                block.allowed = std::span(all.allowed)
                                    .subspan(static_cast<std::size_t>(row), static_cast<std::size_t>(some));
              }
              block.groups = all.groups().of_queries(first, batch).of_rows(row, some);
              nearest_on_cpu(block, best, pool);
            }
            for (int64_t q = 0; q < batch; ++q) {
              ASSERT_EQ(best.take(q), expected[static_cast<std::size_t>(first + q)])
                  << "query " << first + q << ", k " << k;
            }
          }
        }
      }
    }
  }
}

// More queries than search() takes at once.
TEST(RowGroups, GoWithTheirQueriesThroughASearch) {
  const Grouped all(40, 4200);
  CodeSource source;
  source.rows = all.rows();
  source.for_each_block = [&](const auto& visit) {
    for (int64_t row = 0; row < all.rows(); row += 16) {
      visit(row, std::span(all.codes).subspan(
                     static_cast<std::size_t>(row * kDimension),
                     static_cast<std::size_t>(std::min<int64_t>(16, all.rows() - row) * kDimension)));
    }
  };
  SearchQueries queries;
  queries.codes = all.queries;
  queries.dimension = kDimension;
  SearchLimits limits;
  limits.k = 3;
  limits.groups = all.groups();
  const auto device = make_cpu_device(2);
  EXPECT_EQ(search(*device, queries, source, limits), all.brute_force(3, false));
  limits.groups.queries = limits.groups.queries.first(4199);
  EXPECT_THROW(search(*device, queries, source, limits), std::logic_error);
}

}  // namespace
}  // namespace lookalike
