#include "host/row_filter.h"

#include <map>

#include "host/catalog_search.h"
#include "host/sqlite.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

constexpr int64_t kRows = 300;

std::string label_of(int64_t row) {
  if (row % 7 == 0) return "";
  if (row % 7 == 1) return row % 2 == 0 ? "Label" : "label ";
  return fmt::format("label {}", row * 37 % 101);
}

class RowFilterTest : public ScratchTest {
 protected:
  RowFilterTest() {
    test::make_grouped_catalog(at("c"), kRows, 64, 1,
                               [](int64_t row, CatalogItem& item) { item.label = label_of(row); });
  }
};

TEST_F(RowFilterTest, LabelsAreNumbered) {
  const std::vector<int32_t> numbers = CatalogReader(at("c")).label_numbers();
  ASSERT_EQ(std::ssize(numbers), kRows);
  std::map<std::string, int32_t> of;
  for (int64_t r = 0; r < kRows; ++r) {
    const int32_t number = numbers[static_cast<std::size_t>(r)];
    if (label_of(r).empty()) {
      ASSERT_EQ(number, -1) << r;
    } else {
      ASSERT_GE(number, 0);
      ASSERT_EQ(of.try_emplace(label_of(r), number).first->second, number) << r;
    }
  }
  std::map<int32_t, int> times;
  for (const auto& [label, number] : of) ++times[number];
  EXPECT_EQ(times.size(), of.size()) << "two labels share a number";
}

// SQLite does not look at a CHECK again when it reads.
TEST_F(RowFilterTest, ARowThatIsNoneIsDamage) {
  Database(at("c/catalog.sqlite"), Database::Access::kWrite)
      .run("PRAGMA ignore_check_constraints = ON; UPDATE items SET \"row\" = -5 WHERE \"row\" = 1");
  expect_error(ExitCode::kDamaged, "items for", [&] { CatalogReader(at("c")).label_numbers(); });
}

// However many labels there are, the catalog is read once.
TEST_F(RowFilterTest, LabelsOfAllQueriesTakeOnePass) {
  struct Counting : FakeDevice {
    void nearest(const SearchBlock& block, TopK& best) override {
      rows += std::ssize(block.rows) / block.dimension;
      FakeDevice::nearest(block, best);
    }
    int64_t rows = 0;
  } device;
  const CatalogReader catalog(at("c"));
  std::vector<float> codes(static_cast<std::size_t>(kRows * kCodeLength));
  SearchQueries queries;
  for (int64_t r = 0; r < kRows; ++r) {
    catalog.read_codes(r, std::span(codes).subspan(static_cast<std::size_t>(r * kCodeLength), kCodeLength));
    queries.self_rows.push_back(r);
  }
  queries.codes = codes;
  CatalogSearch search(
      catalog, device,
      {.queries = kRows, .at_once = kRows, .wish = {.k = 5, .exclude_label_of_query = true}});
  const auto found = search.nearest(queries);
  EXPECT_EQ(device.rows, kRows);
  for (int64_t r = 0; r < kRows; ++r) {
    ASSERT_EQ(found[static_cast<std::size_t>(r)].size(), 5U);
    for (const Neighbour& neighbour : found[static_cast<std::size_t>(r)]) {
      ASSERT_TRUE(label_of(r).empty() || label_of(neighbour.row) != label_of(r)) << r;
    }
  }
}

}  // namespace
}  // namespace lookalike
