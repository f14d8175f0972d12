// One answer whatever the shards, the sketches, the threads and the queries asked at a time.
#include <algorithm>
#include <utility>

#include "host/catalog_search.h"
#include "host/sketch_build.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"
#include "tests/reference/distance.h"

namespace lookalike {
namespace {

using Lists = std::vector<std::vector<Neighbour>>;

constexpr int64_t kRows = 1100, kAsked = 1000, kChecked = 64;

class CatalogSplitsTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    test::GroupedCodes codes(1);
    for (int64_t r = 0; r < kRows; ++r) {
      const std::vector<float> code = codes.next();
      all_.insert(all_.end(), code.begin(), code.end());
    }
  }

  std::span<const float> codes(int64_t first, int64_t count) const {
    return std::span(all_).subspan(static_cast<std::size_t>(first * kCodeLength),
                                   static_cast<std::size_t>(count * kCodeLength));
  }

  // The first `count` rows ask, `batch` at a time.
  Lists ask(const CatalogReader& catalog, int64_t count, int64_t batch, int64_t k, int threads,
            bool sketched) {
    FakeDevice device;
    CatalogSearch search(catalog, device,
                         {.threads = threads, .queries = count, .at_once = batch, .wish = {.k = k}});
    Lists lists;
    for (int64_t first = 0; first < count; first += batch) {
      for (auto& list : search.nearest({codes(first, std::min(batch, count - first)), {}})) {
        lists.push_back(std::move(list));
      }
    }
    EXPECT_EQ(search.by_sketch(), sketched);
    return lists;
  }

  std::vector<float> all_;
};

TEST_F(CatalogSplitsTest, NothingButTheCodesDecides) {
  Lists all;  // every row, of the first queries
  for (int64_t q = 0; q < kChecked; ++q) all.push_back(reference::nearest(codes(q, 1), all_, kRows));
  const auto expected = [&](int64_t count, int64_t k) {
    Lists lists(all.begin(), all.begin() + count);
    for (auto& list : lists) list.resize(static_cast<std::size_t>(k));
    return lists;
  };
  Lists thousand;
  for (const int64_t shard_rows : {kRows, int64_t{512}, int64_t{37}}) {
    const std::string folder = at(fmt::format("{}", shard_rows));
    test::make_grouped_catalog(folder, kRows, shard_rows, 1);
    const CatalogReader catalog(folder);
    for (const bool sketched : {false, true}) {
      if (sketched && shard_rows == kRows) continue;
      if (sketched) {
        ThreadPool pool(2);
        build_sketches(catalog, pool, true, [](int64_t) { return true; });
      }
      for (const auto& [batch, count] : {std::pair<int64_t, int64_t>{1, 6}, {7, 14}, {64, 64}}) {
        for (const int threads : {1, 2}) {
          for (const int64_t k : {int64_t{10}, kRows}) {
            ASSERT_EQ(ask(catalog, count, batch, k, threads, sketched), expected(count, k))
                << shard_rows << " rows a shard, batch " << batch << ", threads " << threads << ", k " << k;
          }
        }
      }
      const Lists found = ask(catalog, kAsked, kAsked, 10, 2, sketched);
      if (thousand.empty()) thousand = found;
      ASSERT_EQ(std::ssize(found), kAsked);
      ASSERT_EQ(found, thousand) << shard_rows << " rows a shard";
      ASSERT_EQ(Lists(found.begin(), found.begin() + kChecked), expected(kChecked, 10));
    }
  }
}

}  // namespace
}  // namespace lookalike
