// More neighbours than a query keeps candidates waiting, up to every row.
#include <gtest/gtest.h>

#include "engine/sketch_search.h"
#include "tests/engine/sketch_fixture.h"
#include "tests/reference/distance.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

TEST(NearestBySketch, AnyNumberOfNeighboursOfThousands) {
  constexpr int64_t kRows = 5000, kDimension = 6, kQueries = 13;
  constexpr auto kNumbers = static_cast<std::size_t>(kRows * kDimension);
  std::vector<float> repeated;  // 90 codes, each many times
  const auto kinds = test::random_floats(90 * kDimension, -1, 1, 3);
  for (std::size_t i = 0; i < kNumbers; ++i) repeated.push_back(kinds[i % kinds.size()]);
  ThreadPool one(1);
  for (const auto& rows :
       {test::random_floats(kRows * kDimension, -1, 1, 4), repeated, std::vector<float>(kNumbers, 0.5F)}) {
    const test::MemoryCatalog catalog(rows, fit_projection(rows, kDimension, 3, one), 4);
    std::vector<float> queries = test::random_floats(kQueries * kDimension, -1, 1, 5);
    std::copy_n(rows.begin() + 3000 * kDimension, 5 * kDimension, queries.begin());
    std::vector<std::vector<Neighbour>> whole;
    for (int64_t q = 0; q < kQueries; ++q) {
      whole.push_back(reference::nearest(
          std::span(queries).subspan(static_cast<std::size_t>(q * kDimension), kDimension), rows, kRows));
    }
    for (const int64_t k :
         {int64_t{2047}, int64_t{2048}, int64_t{2049}, int64_t{4096}, kRows - 1, kRows, kRows + 1}) {
      for (const int threads : {1, 2}) {
        ThreadPool pool(threads);
        for (const int64_t count : {int64_t{1}, kQueries}) {
          TopK best(count, k);
          nearest_by_sketch(catalog.view(),
                            std::span(queries).first(static_cast<std::size_t>(count * kDimension)), {}, best,
                            pool);
          for (int64_t q = 0; q < count; ++q) {
            std::vector<Neighbour> expected = whole[static_cast<std::size_t>(q)];
            expected.resize(static_cast<std::size_t>(std::min(k, kRows)));
            ASSERT_EQ(best.take(q), expected) << "k " << k << ", query " << q << " of " << count;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace lookalike
