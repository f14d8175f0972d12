#include "host/where_filter.h"

#include <functional>

#include "host/catalog_search.h"
#include "host/recommendations.h"
#include "host/sketch_build.h"
#include "kernels/cpu/distance.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

constexpr int64_t kRows = 1300;

// Labels "", "0", .. "7" by row mod 9; price: the row, but "none" for every tenth; "it's" is a column with a
// quote.
void describe(int64_t row, CatalogItem& item) {
  item.label = row % 9 == 0 ? "" : std::to_string(row % 9 - 1);
  if (row % 9 == 3) item.label = "Ankle boot/it's";
  item.columns["price"] = row % 10 == 0 ? "none" : std::to_string(row);
  item.columns["sku"] = row == 77 ? "12" : fmt::format("{:05}", row);
  item.columns["ean"] = fmt::format("1234567890123456{:04}", row);
  item.columns["weight"] = row % 7 == 0 ? "" : fmt::format("{}.50", row);
  item.columns["Height"] = item.columns["#row"] = "175";
  item.columns["it's"] = "x";
}

class WhereTest : public ScratchTest {
 protected:
  WhereTest() { test::make_grouped_catalog(at("c"), kRows, 500, 1, describe); }

  void expect_rows(const std::string& condition, const std::function<bool(int64_t row)>& fulfils) {
    const std::vector<uint8_t> rows = rows_where(CatalogReader(at("c")), condition);
    ASSERT_EQ(std::ssize(rows), kRows);
    for (int64_t r = 0; r < kRows; ++r) {
      ASSERT_EQ(rows[static_cast<std::size_t>(r)] != 0, fulfils(r)) << condition << ", row " << r;
    }
  }
  void expect_refused(const std::string& condition, const std::string& reason) {
    expect_error(ExitCode::kUsage, reason, [&] { rows_where(CatalogReader(at("c")), condition); });
  }
};

TEST_F(WhereTest, TakesConditionsOnEveryColumn) {
  expect_rows("label = '2'", [](int64_t r) { return r % 9 == 3 ? false : r % 9 - 1 == 2; });
  expect_rows("label=4", [](int64_t r) { return r % 9 - 1 == 4; });
  expect_rows("LABEL=4", [](int64_t r) { return r % 9 - 1 == 4; });
  expect_rows("label=Ankle boot/it", [](int64_t) { return false; });
  expect_rows("label=Ankle boot/it's", [](int64_t r) { return r % 9 == 3; });
  expect_rows("label = 'Ankle boot/it''s'", [](int64_t r) { return r % 9 == 3; });
  expect_rows("label=", [](int64_t r) { return r % 9 == 0; });
  expect_rows("id = 'item 12'", [](int64_t r) { return r == 12; });
  expect_rows("id=item 12", [](int64_t r) { return r == 12; });
  expect_rows("path LIKE '/photos/1%' AND width >= 10",
              [](int64_t r) { return std::to_string(r).starts_with('1'); });
  expect_rows("content_hash > '' AND width=10", [](int64_t) { return true; });
  expect_rows("width=11", [](int64_t) { return false; });
  // Numbers are compared as numbers, texts among them are no number.
  expect_rows("price < 100", [](int64_t r) { return r % 10 != 0 && r < 100; });
  expect_rows("price = 'none'", [](int64_t r) { return r % 10 == 0; });
  expect_rows("price BETWEEN 7 AND 12 OR typeof(price) = 'text'",
              [](int64_t r) { return r % 10 == 0 || (r >= 7 && r <= 12); });
  expect_rows("sku = '00012'", [](int64_t r) { return r == 12; });
  expect_rows("sku = 12", [](int64_t r) { return r == 77; });
  expect_rows("sku=12", [](int64_t r) { return r == 77; });
  expect_rows("sku LIKE '0001_'", [](int64_t r) { return r >= 10 && r < 20; });
  expect_rows("ean=12345678901234560012", [](int64_t r) { return r == 12; });
  expect_rows("ean = '12345678901234560013'", [](int64_t r) { return r == 13; });
  expect_rows("price > 1200", [](int64_t r) { return r % 10 == 0 || r > 1200; });
  expect_rows("price > 1200 AND typeof(price) <> 'text'", [](int64_t r) { return r % 10 != 0 && r > 1200; });
  expect_rows("weight > 1000", [](int64_t r) { return r % 7 != 0 && r >= 1000; });
  expect_rows("NOT weight < 1000", [](int64_t r) { return r % 7 != 0 && r >= 1000; });
  expect_rows("weight IS NULL", [](int64_t r) { return r % 7 == 0; });
  expect_rows("weight=", [](int64_t r) { return r % 7 == 0; });
  expect_rows("weight=12.50", [](int64_t r) { return r == 12; });
  expect_rows("weight = 12.5", [](int64_t r) { return r == 12; });
  expect_rows("\"#row\" = 175", [](int64_t) { return true; });
  expect_rows("sku=00012", [](int64_t r) { return r == 12; });
  expect_rows("\"it's\" = 'x' AND id IN ('item 1', 'item 9') -- a remark",
              [](int64_t r) { return r == 1 || r == 9; });
  expect_rows("NOT label = '5'", [](int64_t r) { return r % 9 - 1 != 5; });
  expect_rows("CASE WHEN width > 9 THEN length(label) ELSE 0 END = 1",
              [](int64_t r) { return r % 9 != 0 && r % 9 != 3; });
  expect_rows("1", [](int64_t) { return true; });
  expect_rows("NULL", [](int64_t) { return false; });
}

TEST_F(WhereTest, RefusesAllElse) {
  expect_refused("colour = 'red'", "no such column: colour");
  expect_refused("colour = 'red'",
                 "id, path, label, content_hash, width, height, #row, ean, it's, price, sku, weight");
  expect_refused("label = dress", "no such column: dress");
  expect_refused("label = \"dress\"", "no such column: dress");
  expect_refused("label =", "syntax error");
  expect_refused("width >", "it ends too early");
  expect_refused("label = 'x", "a quote is not closed");
  expect_refused("", "syntax error");
  expect_refused("1); DROP TABLE items; --", "--where");
  expect_refused("1)) ; ATTACH 'x' AS y; --", "--where");
  expect_refused("1; DELETE FROM items", "--where");
  expect_refused("ATTACH 'x' AS y", "--where");
  expect_refused("1) UNION SELECT 1 --", "--where");
  expect_refused("1) UNION SELECT name FROM sqlite_master /*", "--where");
  expect_refused("1) LIMIT 1 /*", "--where");
  expect_refused("1) /*", "--where");
  expect_refused("1) LIMIT (3", "syntax error");
  expect_refused("1) GROUP BY (length(id)", "syntax error");
  expect_refused("1) ORDER BY (1", "--where");
  expect_refused("1), (0", "syntax error");
  expect_refused("height = 10", "height is the name of two columns");
  expect_refused("HEIGHT=175", "is the name of two columns");
  expect_refused("width=id", "width = id or width = 'id'");
  expect_refused("id IN (SELECT id FROM items)", "a select of its own");
  expect_refused("EXISTS (SELECT 1)", "a select of its own");
  expect_refused("(SELECT name FROM sqlite_master) = 'x'", "--where");
  expect_refused("id IN sqlite_master", "--where");
  expect_refused("id IN refusals", "--where");
  expect_refused("id IN (SELECT value FROM json_each('[1]'))", "--where");
  expect_refused("load_extension('x')", "load_extension");
  expect_refused("readfile('/etc/passwd') = ''", "readfile");
  expect_refused("randomblob(1000000000) = ''", "randomblob");
  expect_refused("zeroblob(1000000000) = ''", "zeroblob");
  expect_refused("count(*) > 1", "count");
  expect_refused("row_number() OVER () > 1", "row_number");
  expect_refused("label = ?", "more than a condition");
  expect_refused("label = :x", "more than a condition");
  expect_refused("abs(-9223372036854775807 - 1) > 0", "integer overflow");
  expect_refused(std::string("label = 'a\0b'", 13), "--where");
  expect_refused("length('" + std::string(200'000, 'x') + "') > 1", "--where");
}

// Every way of asking gives what a plain look at the rows allowed does.
TEST_F(WhereTest, FiltersStayExact) {
  FakeDevice device;
  const CatalogReader catalog(at("c"));
  std::vector<float> all(static_cast<std::size_t>(kRows * kCodeLength));
  for (int64_t r = 0; r < kRows; ++r) {
    catalog.read_codes(r, std::span(all).subspan(static_cast<std::size_t>(r * kCodeLength), kCodeLength));
  }
  const auto code = [&](int64_t row) { return all.data() + row * kCodeLength; };
  const std::vector<int64_t> rows = {0, 3, 4, 5, 77, 900, 1299, -1};
  std::vector<float> codes;
  for (const int64_t row : rows)
    codes.insert(codes.end(), code(std::max<int64_t>(row, 0)), code(std::max<int64_t>(row, 0)) + kCodeLength);
  std::vector<std::string> labels;
  catalog.for_each_item([&](const CatalogItem& item) { labels.push_back(item.label); });
  const double far = cpu::squared_distance(code(4), code(13), kCodeLength);

  for (const bool sketched : {false, true}) {
    if (sketched) {
      ThreadPool pool(2);
      build_sketches(catalog, pool, true, [](int64_t) { return true; });
    }
    for (const char* where : {"", "price < 1000", "label=4", "id = 'item 77'"}) {
      const std::vector<uint8_t> fulfils =
          *where == 0 ? std::vector<uint8_t>(kRows, 1) : rows_where(catalog, where);
      for (const bool exclude : {false, true}) {
        for (const double most : {far, 0.0, static_cast<double>(INFINITY)}) {
          for (const int64_t k : {int64_t{3}, kAllNeighbours}) {
            CatalogSearch search(
                catalog, device,
                {.threads = 2,
                 .queries = std::ssize(rows),
                 .at_once = std::ssize(rows),
                 .wish = {.k = k, .most = most, .where = where, .exclude_label_of_query = exclude}});
            ASSERT_EQ(search.by_sketch(), sketched);
            const auto found = search.nearest({codes, rows});
            for (std::size_t q = 0; q < rows.size(); ++q) {
              const std::string label = rows[q] < 0 ? "" : labels[static_cast<std::size_t>(rows[q])];
              std::vector<Neighbour> expected;
              for (int64_t r = 0; r < kRows; ++r) {
                const double distance =
                    cpu::squared_distance(codes.data() + q * std::size_t{kCodeLength}, code(r), kCodeLength);
                const bool same = exclude && !label.empty() && labels[static_cast<std::size_t>(r)] == label;
                if (r != rows[q] && !same && fulfils[static_cast<std::size_t>(r)] != 0 && distance <= most) {
                  expected.push_back({distance, r});
                }
              }
              std::sort(expected.begin(), expected.end());
              if (std::ssize(expected) > k) expected.resize(static_cast<std::size_t>(k));
              ASSERT_EQ(found[q], expected) << where << ", query " << q << ", most " << most << ", k " << k;
            }
          }
        }
      }
    }
  }
}

TEST(SquaredLimit, IsTheLargestSquareWhoseRootIsNotMore) {
  for (const double distance : {0.0, 1.0, 3.5, 0.1, 1e-200, 1e-160, 1e150, 7.25, 2.0 / 3}) {
    const double most = squared_limit(distance);
    EXPECT_LE(std::sqrt(most), distance);
    EXPECT_GT(std::sqrt(std::nextafter(most, HUGE_VAL)), distance);
  }
  EXPECT_GT(squared_limit(1e300), 1e307);
}

}  // namespace
}  // namespace lookalike
