#include "host/preview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "kernels/topology.h"

namespace lookalike {
namespace {

using testing::ElementsAre;

TEST(Preview, ChoosesEvenlySpreadPhotos) {
  EXPECT_THAT(preview_choice(0), ElementsAre());
  EXPECT_THAT(preview_choice(1), ElementsAre(0));
  EXPECT_THAT(preview_choice(3), ElementsAre(0, 1, 2));
  EXPECT_THAT(preview_choice(8), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(preview_choice(80), ElementsAre(0, 10, 20, 30, 40, 50, 60, 70));
}

TEST(Preview, ShowsOriginalsAboveReconstructions) {
  const std::size_t count = 3;
  std::vector<uint8_t> originals(count * std::size_t{kImageBytes}), reconstructions(originals.size());
  for (std::size_t i = 0; i < originals.size(); ++i) {
    originals[i] = static_cast<uint8_t>(i * 7 + i / 451);
    reconstructions[i] = static_cast<uint8_t>(i * 11 + i / 1777);
  }
  const cv::Mat sheet = cv::imdecode(preview_png(originals, reconstructions), cv::IMREAD_COLOR);
  ASSERT_EQ(sheet.rows, 2 * kImageSize + 3 * kPreviewGap);
  ASSERT_EQ(sheet.cols, 3 * kImageSize + 4 * kPreviewGap);
  EXPECT_EQ(sheet.at<cv::Vec3b>(0, 0), cv::Vec3b(255, 255, 255));
  for (std::size_t n = 0; n < count; ++n) {
    for (int y = 0; y < kImageSize; ++y) {
      for (int x = 0; x < kImageSize; ++x) {
        for (int c = 0; c < 3; ++c) {
          const std::size_t at =
              n * std::size_t{kImageBytes} + static_cast<std::size_t>((y * kImageSize + x) * 3 + c);
          const int left = kPreviewGap + static_cast<int>(n) * (kImageSize + kPreviewGap) + x;
          ASSERT_EQ(sheet.at<cv::Vec3b>(kPreviewGap + y, left)[c], originals[at])
              << n << " " << y << " " << x;
          ASSERT_EQ(sheet.at<cv::Vec3b>(2 * kPreviewGap + kImageSize + y, left)[c], reconstructions[at]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lookalike
