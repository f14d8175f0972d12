// Recommendations and queries on small catalogs with awkward names.
#include "host/recommendations.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "host/bytes_text.h"
#include "host/csv.h"
#include "host/encode_pipeline.h"
#include "host/search_queries.h"
#include "kernels/cpu/distance.h"
#include "tests/host/catalog_fixture.h"
#include "tests/host/fake_device.h"

namespace lookalike {
namespace {

class RecommendationsTest : public CatalogTestBase {
 protected:
  static constexpr int64_t kRows = 8;  // of the fixture's catalog

  std::string write(const RecommendationOptions& options, int64_t expected_lines) {
    const CatalogReader catalog(folder());
    std::string text;
    int64_t reported = 0;
    const RecommendationResult result = write_recommendations(device, catalog, options,
                                                              {[&](std::string_view some) { text += some; },
                                                               [&](int64_t items) {
                                                                 EXPECT_GE(items, reported);
                                                                 reported = items;
                                                                 return true;
                                                               }});
    EXPECT_EQ(result.lines, expected_lines);
    EXPECT_FALSE(result.stopped);
    EXPECT_EQ(result.measured, -1) << "so few are measured by the plain scan";
    EXPECT_EQ(reported, kRows);
    return text;
  }

  std::string folder() {
    if (!std::filesystem::exists(at("c"))) finish(at("c"));
    return at("c");
  }

  // Every other row of the catalog by (distance, row), measured plainly.
  static std::vector<Neighbour> others(const CatalogReader& catalog, int64_t row) {
    std::vector<float> a(kCodeLength), b(kCodeLength);
    catalog.read_codes(row, a);
    std::vector<Neighbour> all;
    for (int64_t r = 0; r < catalog.rows(); ++r) {
      if (r == row) continue;
      catalog.read_codes(r, b);
      all.push_back({cpu::squared_distance(a.data(), b.data(), kCodeLength), r});
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  FakeDevice device;
};

TEST_F(RecommendationsTest, CsvHoldsEveryItemsNearestOthers) {
  const std::string text = write({.wish = {.k = 3}}, kRows * 3);
  const CatalogReader catalog(folder());
  CsvReader csv(text);
  std::vector<std::string> fields;
  ASSERT_TRUE(csv.next(fields));
  EXPECT_EQ(fields, (std::vector<std::string>{"id", "rank", "neighbour_id", "distance"}));
  for (int64_t row = 0; row < kRows; ++row) {
    const auto expected = others(catalog, row);
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(csv.next(fields));
      ASSERT_EQ(fields.size(), 4U);
      EXPECT_EQ(fields[0], catalog.item(row).id);
      EXPECT_EQ(fields[1], std::to_string(i + 1));
      EXPECT_EQ(fields[2], catalog.item(expected[i].row).id);
      EXPECT_EQ(std::stod(fields[3]), std::sqrt(expected[i].squared_distance)) << "not the same double";
    }
  }
  EXPECT_FALSE(csv.next(fields));
}

TEST_F(RecommendationsTest, JsonLinesHoldTheSame) {
  const std::string csv_text = write({.wish = {.k = 2}}, kRows * 2);
  std::istringstream lines(write({.wish = {.k = 2}, .format = TableFormat::kJsonLines}, kRows * 2));
  CsvReader csv(csv_text);
  std::vector<std::string> fields;
  csv.next(fields);
  std::string line;
  while (std::getline(lines, line)) {
    const auto object = nlohmann::json::parse(line);  // refuses what is not UTF-8
    ASSERT_TRUE(csv.next(fields));
    EXPECT_EQ(text_to_bytes(object.at("id")), fields[0]);
    EXPECT_EQ(object.at("rank"), std::stoi(fields[1]));
    EXPECT_EQ(text_to_bytes(object.at("neighbour_id")), fields[2]);
    EXPECT_EQ(object.at("distance"), std::stod(fields[3]));
  }
  EXPECT_FALSE(csv.next(fields));
}

TEST_F(RecommendationsTest, BlocksLeaveNoTrace) {
  const std::string expected = write({.wish = {.k = 4}}, kRows * 4);
  for (const int64_t block : {1, 3, 8})
    EXPECT_EQ(write({.wish = {.k = 4}, .block_queries = block}, kRows * 4), expected);
}

TEST_F(RecommendationsTest, MoreThanThereAreIsAllOthers) {
  const std::string all = write({.wish = {.k = kRows - 1}}, kRows * (kRows - 1));
  EXPECT_EQ(write({.wish = {.k = kRows}}, kRows * (kRows - 1)), all);
  EXPECT_EQ(write({.wish = {.k = int64_t{1} << 40}}, kRows * (kRows - 1)), all);
}

TEST_F(RecommendationsTest, StopsWhenAsked) {
  const CatalogReader catalog(folder());
  EXPECT_TRUE(write_recommendations(device, catalog, {.block_queries = 2},
                                    {[](std::string_view) {}, [](int64_t items) { return items < 4; }})
                  .stopped);
}

TEST(TableFormats, AreToldByName) {
  EXPECT_EQ(table_format("-"), TableFormat::kCsv);
  EXPECT_EQ(table_format("a/b.csv"), TableFormat::kCsv);
  EXPECT_EQ(table_format("b.jsonl"), TableFormat::kJsonLines);
  for (const char* name : {"b.json", "csv", "", "b.csv.gz"}) {
    expect_error(ExitCode::kUsage, ".jsonl", [&] { table_format(name); });
  }
}

// A catalog of photos that lie in files.
class QueriesTest : public ScratchTest {
 protected:
  QueriesTest() { make("c", {}); }
  void make(const std::string& name, const Settings& settings) {
    Model model;
    model.parameters.assign(kParameterCount, 0.5F);
    PhotoList photos;
    for (int i = 0; i < 3; ++i) {
      const std::string photo = fmt::format("{}.png", i);
      cv::imwrite(at(photo), cv::Mat(30, 30, CV_8UC3, cv::Scalar(80.0 * i, 5, 5)));
      photos.items.push_back({.id = fmt::format("id {}", i), .path = at(photo), .label = "", .columns = {}});
    }
    CatalogWriter writer(at(name), model, settings, 3, 1, false);
    EncodePipelineOptions options;
    encode_shards(device, PhotoTable(photos), {0}, options,
                  {[&](const ShardContent& shard) { writer.write(shard); }, {}});
    writer.finish();
  }
  QuerySet resolve(const std::vector<std::string>& names) {
    return resolve_queries(names, CatalogReader(at("c")), device);
  }

  FakeDevice device;
};

TEST_F(QueriesTest, AnIdIsItsItem) {
  const QuerySet set = resolve({"id 1", "id 0"});
  EXPECT_EQ(set.rows, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(set.names, (std::vector<std::string>{"id 1", "id 0"}));
  std::vector<float> code(kCodeLength);
  CatalogReader(at("c")).read_codes(1, code);
  EXPECT_TRUE(std::equal(code.begin(), code.end(), set.codes.begin()));
  EXPECT_EQ(set.codes.size(), 2 * std::size_t{kCodeLength});
}

TEST_F(QueriesTest, AFileOfTheCatalogIsItsItemUntilItChanges) {
  EXPECT_EQ(resolve({at("2.png")}).rows, (std::vector<int64_t>{2}));
  EXPECT_EQ(resolve({folder_ + "/c/../2.png"}).rows, (std::vector<int64_t>{2}));
  cv::imwrite(at("2.png"), cv::Mat(30, 30, CV_8UC3, cv::Scalar(1, 2, 3)));
  const QuerySet changed = resolve({at("2.png")});
  EXPECT_EQ(changed.rows, (std::vector<int64_t>{-1}));
  EXPECT_EQ(changed.codes[0], 1.0F / 255.0F);
  EXPECT_EQ(changed.pixels[0].size(), std::size_t{kImageBytes});
}

TEST_F(QueriesTest, AnotherPhotoComesFromOutside) {
  std::filesystem::copy(at("0.png"), at("copy.png"));
  EXPECT_EQ(resolve({at("copy.png")}).rows, (std::vector<int64_t>{-1}));
}

TEST_F(QueriesTest, PhotosAreEncodedInTheCatalogsPrecision) {
  make("half", {{"precision", "fp16"}});
  std::filesystem::copy(at("0.png"), at("copy.png"));
  const auto resolve_in = [&](const char* catalog, const std::string& name) {
    return resolve_queries({name, name}, CatalogReader(at(catalog)), device).warning;
  };
  device.has_half = true;
  EXPECT_EQ(resolve_in("c", at("copy.png")), "");
  EXPECT_FALSE(device.half);
  EXPECT_EQ(resolve_in("half", "id 1"), "");  // codes of items are read, not made
  EXPECT_FALSE(device.half);
  EXPECT_EQ(resolve_in("half", at("copy.png")), "");
  EXPECT_TRUE(device.half);
  device.has_half = device.half = false;
  EXPECT_THAT(resolve_in("half", at("copy.png")), testing::HasSubstr("codes are in fp16"));
  EXPECT_EQ(resolve_in("half", "id 1"), "");
}

// Codes of two precisions are never in one catalog.
TEST_F(QueriesTest, ACatalogHasOnePrecision) {
  make("half", {{"precision", "fp16"}});
  expect_error(ExitCode::kUsage, "precision 'fp16', not 'float32'", [&] {
    make("half", {{"precision", "float32"}});
  });
}

TEST_F(QueriesTest, WhatIsNeitherIsRefused) {
  expect_error(ExitCode::kUsage, "'id 7'", [&] { resolve({"id 1", "id 7"}); });
  put("broken.jpg", "\xFF\xD8 cut");
  expect_error(ExitCode::kNoInput, "broken.jpg", [&] { resolve({at("broken.jpg")}); });
  expect_error(ExitCode::kNoInput, folder_, [&] { resolve({folder_}); });
}

}  // namespace
}  // namespace lookalike
