#include "host/photo_fit.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace lookalike {
namespace {

// kImageSize * part / whole, rounded to nearest, at least one pixel.
int scaled_side(int64_t part, int64_t whole) {
  return static_cast<int>(std::max<int64_t>(1, (2 * kImageSize * part + whole) / (2 * whole)));
}

}  // namespace

cv::Rect seen_part(int width, int height, Fit fit) {
  if (fit != Fit::kCrop) return {0, 0, width, height};
  const int side = std::min(width, height);
  return {(width - side) / 2, (height - side) / 2, side, side};
}

cv::Rect placed_box(int width, int height, Fit fit) {
  if (fit != Fit::kPad) return {0, 0, kImageSize, kImageSize};
  const int longer = std::max(width, height);
  const int w = scaled_side(width, longer), h = scaled_side(height, longer);
  return {(kImageSize - w) / 2, (kImageSize - h) / 2, w, h};
}

int reduction(int width, int height, Fit fit) {
  const cv::Rect box = placed_box(width, height, fit);
  for (int divisor = 8; divisor > 1; divisor /= 2) {
    const cv::Rect seen = seen_part((width + divisor - 1) / divisor, (height + divisor - 1) / divisor, fit);
    if (seen.width >= box.width && seen.height >= box.height) return divisor;
  }
  return 1;
}

void fit_photo(const cv::Mat& bgr, int width, int height, const PhotoRule& rule, uint8_t* pixels) {
  const cv::Mat seen = bgr(seen_part(bgr.cols, bgr.rows, rule.fit));
  cv::Mat square(kImageSize, kImageSize, CV_8UC3, pixels);
  square.setTo(cv::Scalar(rule.background[0], rule.background[1], rule.background[2]));
  cv::Mat box = square(placed_box(width, height, rule.fit));
  const bool grows = box.cols > seen.cols || box.rows > seen.rows;
  cv::resize(seen, box, box.size(), 0, 0, grows ? cv::INTER_LINEAR : cv::INTER_AREA);
}

}  // namespace lookalike
