#include "host/photo_fit.h"

#include <gmock/gmock.h>

#include <opencv2/imgproc.hpp>

#include "engine/error.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using namespace lookalike::testing;

const PhotoRule kPadOrange = {Fit::kPad, {10, 128, 250}};

cv::Mat fitted(const cv::Mat& photo, const PhotoRule& rule) {
  cv::Mat pixels(kImageSize, kImageSize, CV_8UC3, cv::Scalar(1, 2, 3));
  fit_photo(photo, photo.cols, photo.rows, rule, pixels.data);
  return pixels;
}

cv::Mat shrunk_by_two(const cv::Mat& photo) {
  cv::Mat small(photo.rows / 2, photo.cols / 2, CV_8UC3);
  for (int y = 0; y < small.rows; ++y) {
    for (int x = 0; x < small.cols; ++x) {
      for (int c = 0; c < 3; ++c) {
        int sum = 0;
        for (int i = 0; i < 4; ++i) sum += photo.at<cv::Vec3b>(2 * y + i / 2, 2 * x + i % 2)[c];
        small.at<cv::Vec3b>(y, x)[c] = static_cast<uint8_t>((sum + 2) / 4);
      }
    }
  }
  return small;
}

TEST(PhotoFit, APhotoOfTheRightSizeIsKept) {
  const cv::Mat photo = gradient(150, 150);
  for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
    EXPECT_TRUE(same_pixels(fitted(photo, {fit}), photo)) << to_string(fit);
  }
}

TEST(PhotoFit, ShrinkingAveragesAreas) {
  const cv::Mat photo = gradient(300, 300);
  EXPECT_TRUE(same_pixels(fitted(photo, {Fit::kStretch}), shrunk_by_two(photo)));
}

TEST(PhotoFit, PadCentresThePhotoOnTheBackground) {
  const cv::Mat photo = gradient(300, 150);
  const cv::Mat pixels = fitted(photo, kPadOrange);
  EXPECT_TRUE(same_pixels(pixels.rowRange(37, 112), shrunk_by_two(photo)));
  const cv::Mat background(75, kImageSize, CV_8UC3, cv::Scalar(10, 128, 250));
  EXPECT_TRUE(same_pixels(pixels.rowRange(0, 37), background.rowRange(0, 37)));
  EXPECT_TRUE(same_pixels(pixels.rowRange(112, 150), background.rowRange(0, 38)));
}

TEST(PhotoFit, CropTakesTheCentreSquare) {
  const cv::Mat photo = gradient(401, 300);  // 50 columns go on the left, 51 on the right
  EXPECT_TRUE(same_pixels(fitted(photo, {Fit::kCrop}), shrunk_by_two(photo.colRange(50, 350))));
  const cv::Mat tall = gradient(150, 200);
  EXPECT_TRUE(same_pixels(fitted(tall, {Fit::kCrop}), tall.rowRange(25, 175)));
}

TEST(PhotoFit, EnlargingIsBilinear) {
  cv::Mat photo(1, 2, CV_8UC3);
  photo.at<cv::Vec3b>(0, 0) = {0, 100, 50};
  photo.at<cv::Vec3b>(0, 1) = {150, 100, 200};
  const cv::Mat pixels = fitted(photo, {Fit::kStretch});
  for (int x = 0; x < kImageSize; ++x) {
    const double place = std::clamp((x + 0.5) * 2 / kImageSize - 0.5, 0.0, 1.0);
    EXPECT_NEAR(pixels.at<cv::Vec3b>(70, x)[0], 150 * place, 1.0) << x;
    EXPECT_EQ(pixels.at<cv::Vec3b>(70, x)[1], 100) << x;
  }
}

// The rule: areas are averaged where neither side grows, else both are bilinear.
TEST(PhotoFit, OneGrowingSideMakesBothBilinear) {
  const cv::Mat photo = gradient(300, 75);
  cv::Mat linear, area;
  cv::resize(photo, linear, {150, 150}, 0, 0, cv::INTER_LINEAR);
  cv::resize(photo, area, {150, 150}, 0, 0, cv::INTER_AREA);
  ASSERT_FALSE(same_pixels(linear, area));
  EXPECT_TRUE(same_pixels(fitted(photo, {Fit::kStretch}), linear));
  const cv::Mat one_kept = gradient(300, 150);
  cv::resize(one_kept, area, {150, 150}, 0, 0, cv::INTER_AREA);
  EXPECT_TRUE(same_pixels(fitted(one_kept, {Fit::kStretch}), area));
}

TEST(PhotoFit, PadRoundsTheShorterSide) {
  EXPECT_EQ(placed_box(400, 533, Fit::kPad), cv::Rect(18, 0, 113, 150));
  EXPECT_EQ(placed_box(533, 400, Fit::kPad), cv::Rect(0, 18, 150, 113));
  EXPECT_EQ(placed_box(1, 1, Fit::kPad), cv::Rect(0, 0, 150, 150));
  EXPECT_EQ(placed_box(65500, 1, Fit::kPad), cv::Rect(0, 74, 150, 1));
}

TEST(PhotoFit, ExtremeShapesFit) {
  for (const auto& size : {cv::Size(1, 1), cv::Size(1, 5000), cv::Size(5000, 1), cv::Size(149, 151)}) {
    for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
      const cv::Mat photo(size, CV_8UC3, cv::Scalar(90, 80, 70));
      const cv::Mat pixels = fitted(photo, {fit, {90, 80, 70}});
      EXPECT_TRUE(same_pixels(pixels, cv::Mat(150, 150, CV_8UC3, cv::Scalar(90, 80, 70)))) << size;
    }
  }
}

TEST(PhotoFit, ReductionKeepsWhatTheFitNeeds) {
  EXPECT_EQ(reduction(299, 299, Fit::kStretch), 2);  // 149.5 is decoded as 150
  EXPECT_EQ(reduction(298, 298, Fit::kStretch), 1);
  EXPECT_EQ(reduction(1200, 1200, Fit::kPad), 8);
  EXPECT_EQ(reduction(1200, 600, Fit::kStretch), 4);
  EXPECT_EQ(reduction(1200, 600, Fit::kCrop), 4);
  EXPECT_EQ(reduction(1200, 600, Fit::kPad), 8);  // 150 x 75 is all that is used
  EXPECT_EQ(reduction(1, 1, Fit::kPad), 1);
}

TEST(PhotoRuleText, ReadsWhatItWrites) {
  EXPECT_EQ(to_string(PhotoRule{}), "pad #ffffff");
  EXPECT_EQ(to_string(PhotoRule{Fit::kCrop, {0x01, 0x02, 0xAB}}), "crop #ab0201");
  for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
    const PhotoRule rule{fit, {1, 22, 203}};
    EXPECT_EQ(parse_photo_rule(to_string(rule)), rule);
    EXPECT_EQ(parse_fit(to_string(fit)), fit);
  }
}

TEST(Background, IsANameOrSixDigits) {
  using Colour = std::array<uint8_t, 3>;
  EXPECT_EQ(parse_background("white"), (Colour{255, 255, 255}));
  EXPECT_EQ(parse_background("navy"), (Colour{128, 0, 0}));
  EXPECT_EQ(parse_background("#01aBfe"), (Colour{0xFE, 0xAB, 0x01}));
  for (const char* text :
       {"", "#", "#fff", "ffffff", "#fffffff", "#ggffff", "#-1ffff", "#+1ffff", "mauve", "White "}) {
    try {
      parse_background(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
  }
}

TEST(PhotoRuleText, OtherTextIsAnError) {
  for (const char* text : {"", "pad", "pad #fffff", "pad #fffffff", "pad #ggffff", "pad  #ffffff",
                           "PAD #ffffff", "pad #-1-1-1", "pad ffffff"}) {
    try {
      parse_photo_rule(text);
      ADD_FAILURE() << "\"" << text << "\" was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kDamaged);
    }
  }
  try {
    parse_fit("squeeze");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

}  // namespace
}  // namespace lookalike
