// The page as bytes: bound, names, pictures, neighbours' numbers. The browser's side is
// tests/cli/test_report_page.py.
#include "host/report_page.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "engine/random.h"
#include "host/base64.h"
#include "host/thumbnail.h"
#include "kernels/topology.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

using testing::HasSubstr;
using testing::Not;

// A thumbnail that JPEG cannot make small.
std::vector<uint8_t> noise(int64_t number) {
  std::vector<uint8_t> pixels(std::size_t{kImageBytes});
  uint32_t state = static_cast<uint32_t>(number) * 2654435761U + 1;
  for (uint8_t& byte : pixels) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return thumbnail_of(pixels);
}

// Rows 0, 2, 4, ... as items; each has its neighbours on both sides, of which others are the odd rows.
ReportData report(int64_t count) {
  ReportData data;
  data.model.parameters = initial_parameters(1);
  data.totals.encoded = 2 * count + 1;
  for (int64_t i = 0; i < count; ++i) {
    ReportItem item;
    item.item.row = 2 * i;
    item.item.id = "item " + std::to_string(2 * i);
    item.item.label = i % 2 == 0 ? "even" : "odd";
    item.picture = noise(2 * i);
    item.neighbours = {
        {1.0, 2 * i + 1}, {4.0, 2 * ((i + 1) % count)}, {9.0, 2 * ((i + count - 1) % count) + 1}};
    data.items.push_back(std::move(item));
    CatalogItem other;
    other.row = 2 * i + 1;
    other.id = "other " + std::to_string(2 * i + 1);
    data.others.emplace(other.row, other);
  }
  return data;
}

struct Written {
  std::string html;
  nlohmann::json data, pictures;
  ReportFit fit;
  ReportSize size;
};

nlohmann::json part(const std::string& html, const std::string& id) {
  const std::string open = "<script type=\"application/json\" id=\"" + id + "\">";
  const std::size_t start = html.find(open) + open.size();
  return nlohmann::json::parse(html.substr(start, html.find("</script>", start) - start));
}

Written written(ReportData data, int64_t limit) {
  Written page;
  page.fit = fit_report(data, limit);
  page.size = write_report(data, page.fit, noise, [&](std::string_view text) { page.html += text; });
  page.data = part(page.html, "data");
  page.pictures = part(page.html, "pictures");
  return page;
}

int64_t with_picture(const Written& page, std::size_t from, std::size_t to) {
  int64_t count = 0;
  for (std::size_t i = from; i < to; ++i) count += page.pictures["items"][i] != "" ? 1 : 0;
  return count;
}

TEST(ReportPage, HoldsItemsOthersAndTheirPictures) {
  const Written page = written(report(5), kReportBytes);
  EXPECT_FALSE(page.fit.halved || page.fit.thinned);
  EXPECT_EQ(page.size.bytes, std::ssize(page.html));
  EXPECT_EQ(page.size.others_without_picture, 0);
  ASSERT_EQ(page.data["items"].size(), 5U);
  ASSERT_EQ(page.data["others"].size(), 5U);
  EXPECT_EQ(page.data["items"][1]["id"], "item 2");
  // Item 1's neighbours: row 3, which is others[1]; row 4, items[2]; row 1, others[0].
  EXPECT_EQ(page.data["items"][1]["near"], nlohmann::json::parse("[[6,1.0],[2,2.0],[5,3.0]]"));
  EXPECT_EQ(page.data["others"][1]["id"], "other 3");
  ASSERT_EQ(page.pictures["items"].size(), 10U);
  EXPECT_EQ(page.pictures["items"][1], to_base64(noise(2)));
  EXPECT_EQ(page.pictures["items"][6], to_base64(half_thumbnail(noise(3))));
}

TEST(ReportPage, StaysWithinItsBound) {
  ReportData data = report(40);
  // Reconstructions as large as there is room for.
  const ReportPair largest = {0, std::vector<uint8_t>(std::size_t{kImageBytes})};
  data.spread.assign(kPairsShown, largest);
  data.worst.assign(kPairsShown, largest);
  const int64_t whole = written(data, kReportBytes).size.bytes;
  bool halved = false, thinned = false, some_without = false;
  for (int64_t limit = whole + 100'000; limit > 2'240'000; limit -= limit / 25) {
    const Written page = written(data, limit);
    EXPECT_LE(page.size.bytes, limit);
    EXPECT_GE(page.data["items"].size(), 1U);
    EXPECT_EQ(page.data["halved"], page.fit.halved);
    EXPECT_EQ(page.data["thinned"], page.fit.thinned);
    const std::size_t items = page.data["items"].size(), others = page.data["others"].size();
    EXPECT_EQ(page.data["items"].size() < 40, page.fit.thinned);
    EXPECT_EQ(with_picture(page, 0, items), static_cast<int64_t>(items));
    EXPECT_EQ(page.size.others_without_picture,
              static_cast<int64_t>(others) - with_picture(page, items, items + others));
    halved |= page.fit.halved;
    thinned |= page.fit.thinned;
    some_without |= page.size.others_without_picture > 0 && page.size.others_without_picture < 40;
    for (const auto& item : page.data["items"]) {
      for (const auto& near : item["near"]) EXPECT_LT(near[0], items + others);
    }
  }
  EXPECT_TRUE(halved);
  EXPECT_TRUE(thinned);
  EXPECT_TRUE(some_without);
}

TEST(ReportPage, DroppedItemsBecomeOthersWhereTheyAreNeighbours) {
  ReportData data = report(8);
  thin_report(data, 3);
  ASSERT_EQ(data.items.size(), 3U);
  EXPECT_EQ(data.items[0].item.row, 0);
  EXPECT_EQ(data.items[1].item.row, 4);
  EXPECT_EQ(data.items[2].item.row, 10);
  std::vector<int64_t> rows;
  for (const auto& [row, other] : data.others) rows.push_back(row);
  EXPECT_THAT(rows, testing::ElementsAre(1, 2, 3, 5, 6, 9, 11, 12, 15));
  EXPECT_EQ(data.others.at(6).id, "item 6");
}

TEST(ReportPage, NoNameEndsTheElementItIsIn) {
  ReportData data = report(3);
  const std::string hostile = "</script><script>alert(1)</script><!--&\"'\\\n\xE2\x80\xA8\xE2\x80\xA9";
  data.catalog = hostile;
  data.items[0].item.id = hostile;
  data.items[1].item.id = "\xFF\x1B[31m</script>";
  data.items[2].item.id = "hex:00";
  data.items[0].item.label = hostile;
  data.model.settings = {{hostile, hostile}};
  data.settings = {{hostile, hostile}};
  data.first_refusals = {{hostile, hostile, hostile}};
  data.refusal_reasons = {{hostile, 1}};
  const Written page = written(data, kReportBytes);
  EXPECT_THAT(page.html, Not(HasSubstr("alert(1)</")));
  EXPECT_THAT(page.html, Not(HasSubstr("\xE2\x80\xA8")));
  EXPECT_EQ(page.data["items"][0]["id"], hostile);
  EXPECT_EQ(page.data["items"][1]["id"], "hex:ff1b5b33316d3c2f7363726970743e");
  EXPECT_EQ(page.data["items"][1]["shown"], "\\xff\\x1b[31m</script>");
  EXPECT_EQ(page.data["items"][2]["id"], "hex:6865783a3030");
  EXPECT_EQ(page.data["items"][2]["shown"], "hex:00");
}

TEST(ReportPage, PairsFollowTheItems) {
  ReportData data = report(4);
  data.spread = {{1, {1, 2, 3}}};
  data.worst = {{3, {4, 5}}, {0, {6}}};
  const Written page = written(data, kReportBytes);
  EXPECT_EQ(page.data["spread"], nlohmann::json::parse("[1]"));
  EXPECT_EQ(page.data["worst"], nlohmann::json::parse("[3,0]"));
  EXPECT_EQ(page.pictures["reconstructions"], nlohmann::json::parse(R"(["AQID","BAU=","Bg=="])"));
}

TEST(ReportPage, HalfPicturesAreOfWholeThumbnailsAlone) {
  const cv::Mat half = cv::imdecode(half_thumbnail(noise(1)), cv::IMREAD_COLOR);
  EXPECT_EQ(half.rows, 75);
  EXPECT_EQ(half.cols, 75);
  EXPECT_TRUE(half_thumbnail({}).empty());
  EXPECT_TRUE(half_thumbnail({0xFF, 0xD8, 1}).empty());
  std::vector<uint8_t> small;
  cv::imencode(".jpg", cv::Mat(10, 10, CV_8UC3, cv::Scalar::all(9)), small);
  EXPECT_TRUE(half_thumbnail(small).empty());
}

}  // namespace
}  // namespace lookalike
