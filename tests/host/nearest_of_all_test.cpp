// recommend by pairs of rows: the same bytes as asking for each row, and when it is not used.
#include <cmath>
#include <optional>

#include "host/memory.h"
#include "host/npy.h"
#include "host/recommendations.h"
#include "host/sketch_build.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

constexpr int64_t kRows = 600, kShardRows = 256;
constexpr int64_t kMiB = int64_t{1} << 20;

class NearestOfAllTest : public ScratchTest {
 protected:
  void SetUp() override {
    test::make_grouped_catalog(at("c"), kRows, kShardRows, 3, [](int64_t row, CatalogItem& item) {
      item.label = row % 2 == 0 ? "even" : "odd";
    });
  }

  // Whether a search that wishes so compares pairs.
  bool by_pairs(const NeighbourWish& wish) {
    const CatalogReader catalog(at("c"));
    return CatalogSearch(catalog, device, {.threads = 2, .queries = kRows, .at_once = kRows, .wish = wish})
        .nearest_of_all()
        .has_value();
  }

  std::string table(const RecommendationOptions& options) {
    const CatalogReader catalog(at("c"));
    std::string text;
    const auto result = write_recommendations(device, catalog, options,
                                              {[&](std::string_view some) { text += some; }, {}, {}});
    EXPECT_FALSE(result.stopped);
    EXPECT_EQ(result.lines, std::ranges::count(text, '\n') - (options.format == TableFormat::kCsv ? 1 : 0));
    return text;
  }

  // A condition that every row fulfils makes each row be asked for.
  std::string asked_table(RecommendationOptions options) {
    options.wish.where = "width = 10";
    return table(options);
  }

  void put_nan(int64_t shard, int64_t row) {
    std::fstream file(at(fmt::format("c/codes/codes_{:05}.npy", shard)),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kNpyHeaderBytes + 4 * (row * kCodeLength + 7));
    const float nan = std::nanf("");
    file.write(reinterpret_cast<const char*>(&nan), sizeof nan);
    ASSERT_TRUE(file.good());
  }

  FakeDevice device;
};

TEST_F(NearestOfAllTest, GivesTheSameTable) {
  const std::string ten = asked_table({});
  for (const int threads : {1, 2, 3}) EXPECT_TRUE(table({.threads = threads}) == ten);
  const RecommendationOptions all = {.wish = {.k = kAllNeighbours}};
  EXPECT_TRUE(table(all) == asked_table(all));
  // Nobody is as near as the first; of the others some have nobody, some many.
  for (const double most : {0.0, 30.0, 81.0}) {
    const RecommendationOptions within = {.wish = {.k = 40, .most = most}, .format = TableFormat::kJsonLines};
    const std::string near = asked_table(within);
    EXPECT_TRUE(table(within) == near);
    EXPECT_EQ(near.empty(), most == 0);
  }
}

TEST_F(NearestOfAllTest, IsForThePlainScanOfAllRowsOnTheCpu) {
  EXPECT_TRUE(by_pairs({}));
  EXPECT_TRUE(by_pairs({.k = kAllNeighbours}));
  EXPECT_TRUE(by_pairs({.k = 3, .most = 50.0}));
  EXPECT_FALSE(by_pairs({.where = "width = 10"}));
  EXPECT_FALSE(by_pairs({.exclude_label_of_query = true}));
  // Lists of all rows are 12 MB, the codes 7.
  EXPECT_TRUE(by_pairs({.memory = resident_bytes() + 32 * kMiB}));
  EXPECT_FALSE(by_pairs({.k = kAllNeighbours, .memory = resident_bytes() + 32 * kMiB}));
  EXPECT_FALSE(by_pairs({.memory = resident_bytes() + 24 * kMiB}));
  EXPECT_TRUE(table({.wish = {.memory = resident_bytes() + 24 * kMiB}}) == asked_table({}));
  const std::string collapsed = asked_table({.collapse = 5.0});
  EXPECT_TRUE(table({.collapse = 5.0}) == collapsed) << "groups hide rows";
  EXPECT_TRUE(collapsed != asked_table({}));
}

TEST_F(NearestOfAllTest, SketchesAreTheFasterWay) {
  std::filesystem::remove_all(at("c"));
  test::make_grouped_catalog(at("c"), kFewestSketchedRows, kShardRows, 3);
  EXPECT_TRUE(by_pairs({}));
  {
    const CatalogReader catalog(at("c"));
    ThreadPool pool(2);
    build_sketches(catalog, pool, true, [](int64_t) { return true; });
  }
  EXPECT_FALSE(by_pairs({}));
}

TEST_F(NearestOfAllTest, DamageIsNamedAlike) {
  put_nan(2, 5);
  for (const bool asked : {false, true}) {
    expect_error(ExitCode::kDamaged, "codes_00002.npy: row 5 has a number that is not finite",
                 [&] { asked ? asked_table({}) : table({}); });
  }
}

TEST_F(NearestOfAllTest, StopsBetweenBlocks) {
  const CatalogReader catalog(at("c"));
  std::vector<int64_t> reported;
  const auto run = [&](int64_t until) {
    std::string text;
    reported.clear();
    const auto result = write_recommendations(device, catalog, {.threads = 2},
                                              {[&](std::string_view some) { text += some; },
                                               [&](int64_t items) {
                                                 reported.push_back(items);
                                                 return items < until;
                                               },
                                               {}});
    EXPECT_EQ(std::ranges::count(text, '\n'), result.lines + 1);
    return result;
  };
  const auto whole = run(kRows + 1);
  EXPECT_FALSE(whole.stopped);
  EXPECT_EQ(whole.lines, 10 * kRows);
  EXPECT_TRUE(std::ranges::is_sorted(reported));
  EXPECT_GE(reported.size(), 20U);
  EXPECT_EQ(reported.back(), kRows);
  for (const int64_t until : {int64_t{0}, kRows / 3, kRows - 1}) {
    const auto stopped = run(until);
    EXPECT_TRUE(stopped.stopped);
    EXPECT_EQ(stopped.lines, 0);
    EXPECT_LE(reported.back(), until + kRows / 20);
  }
}

}  // namespace
}  // namespace lookalike
