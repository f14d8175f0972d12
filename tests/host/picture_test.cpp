#include "host/picture.h"

#include <opencv2/imgcodecs.hpp>

#include "host/jpeg_encode.h"
#include "host/thumbnail.h"
#include "kernels/topology.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

Tile tile(uint8_t blue, const std::string& name = "shirts/a.jpg") {
  Tile tile;
  for (int64_t i = 0; i < kImageBytes; ++i) tile.pixels.push_back(i % 3 == 0 ? blue : 30);
  tile.caption = "12.34";
  tile.name = name;
  return tile;
}

cv::Mat drawn(const std::vector<PictureRow>& rows) {
  return cv::imdecode(search_picture(rows), cv::IMREAD_COLOR);
}

// Pixels of exactly this colour.
int64_t area(const cv::Mat& sheet, uint8_t blue) {
  int64_t count = 0;
  for (int y = 0; y < sheet.rows; ++y) {
    for (int x = 0; x < sheet.cols; ++x)
      count += sheet.at<cv::Vec3b>(y, x) == cv::Vec3b(blue, 30, 30) ? 1 : 0;
  }
  return count;
}

TEST(SearchPicture, ShowsEveryPhotoWhole) {
  const cv::Mat sheet =
      drawn({{tile(100), tile(101), {tile(102), tile(103)}}, {tile(104), tile(105), {tile(106)}}});
  for (uint8_t blue = 100; blue <= 106; ++blue) EXPECT_EQ(area(sheet, blue), 150 * 150) << int{blue};
  // A white margin all around.
  for (int x = 0; x < sheet.cols; ++x) EXPECT_EQ(sheet.at<cv::Vec3b>(2, x), cv::Vec3b(255, 255, 255));
  for (int y = 0; y < sheet.rows; ++y) EXPECT_EQ(sheet.at<cv::Vec3b>(y, 2), cv::Vec3b(255, 255, 255));
  for (int y = 0; y < sheet.rows; ++y) {
    EXPECT_EQ(sheet.at<cv::Vec3b>(y, sheet.cols - 3), cv::Vec3b(255, 255, 255));
  }
}

TEST(SearchPicture, GrowsWithNeighboursAndQueries) {
  const cv::Mat one = drawn({{tile(1), tile(2), {tile(3)}}});
  const cv::Mat more = drawn({{tile(1), tile(2), {tile(3), tile(4)}}, {tile(1), tile(2), {}}});
  EXPECT_GE(more.cols, one.cols + 150);
  EXPECT_GE(more.rows, one.rows + 150);
  EXPECT_FALSE(drawn({{tile(1), tile(2), {}}}).empty());
}

TEST(SearchPicture, TakesAnyNameAndMissingPhotos) {
  Tile none = tile(9, "\xFF\x1B[31m\n\xE2\x82\xAC" + std::string(300, 'x'));
  none.pixels.clear();
  const cv::Mat sheet = drawn({{none, tile(8, ""), {none}}});
  EXPECT_EQ(area(sheet, 8), 150 * 150);
  EXPECT_EQ(sheet.at<cv::Vec3b>(24 + 34 + 75, 24 + 75), cv::Vec3b(235, 235, 235));
}

TEST(SearchPicture, RefusesToBeHuge) {
  PictureRow row{tile(1), tile(2), {}};
  row.neighbours.resize(250);
  expect_error(ExitCode::kUsage, "ask for fewer", [&] { search_picture({row}); });
}

TEST(ThumbnailOf, IsWhatOpenCvWrites) {
  cv::Mat image(150, 150, CV_8UC3);
  cv::theRNG().state = 1;
  cv::randu(image, 0, 256);
  std::vector<uint8_t> expected;
  cv::imencode(".jpg", image, expected, {cv::IMWRITE_JPEG_QUALITY, 85});
  EXPECT_EQ(thumbnail_of({image.data, std::size_t{kImageBytes}}), expected);

  const cv::Mat half = cv::imdecode(expected, cv::IMREAD_REDUCED_COLOR_2);
  ASSERT_EQ(half.size(), cv::Size(75, 75));
  std::vector<uint8_t> expected_half;
  cv::imencode(".jpg", half, expected_half, {cv::IMWRITE_JPEG_QUALITY, 75});
  EXPECT_EQ(half_thumbnail(expected), expected_half);
}

TEST(EncodeJpeg, RefusesWhatLibjpegRefuses) {
  expect_error(ExitCode::kSystem, "could not be written as JPEG",
               [] { encode_jpeg(cv::Mat(1, 65'501, CV_8UC3, cv::Scalar(1, 2, 3)), 85); });
}

TEST(ThumbnailPixels, AreTheJpegsOrNothing) {
  const cv::Mat image(150, 150, CV_8UC3, cv::Scalar(200, 100, 50));
  std::vector<uint8_t> jpeg;
  cv::imencode(".jpg", image, jpeg);
  const auto pixels = thumbnail_pixels(jpeg);
  ASSERT_EQ(pixels.size(), std::size_t{kImageBytes});
  EXPECT_NEAR(pixels[0], 200, 3);
  EXPECT_NEAR(pixels[2], 50, 3);
  EXPECT_TRUE(thumbnail_pixels({}).empty());
  EXPECT_TRUE(thumbnail_pixels({0xFF, 0xD8, 1}).empty());
  cv::imencode(".jpg", cv::Mat(20, 20, CV_8UC3), jpeg);
  EXPECT_TRUE(thumbnail_pixels(jpeg).empty()) << "of another size";
}

}  // namespace
}  // namespace lookalike
