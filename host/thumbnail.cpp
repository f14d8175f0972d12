#include "host/thumbnail.h"

#include <opencv2/imgcodecs.hpp>

#include "engine/error.h"
#include "host/photo_codecs.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

constexpr int kWholeQuality = 85, kHalfQuality = 75;

std::vector<uint8_t> encoded(const cv::Mat& image, int quality) {
  return encode_image(".jpg", image, {cv::IMWRITE_JPEG_QUALITY, quality});
}

}  // namespace

std::vector<uint8_t> thumbnail_of(std::span<const uint8_t> pixels) {
  return encoded(cv::Mat(kImageSize, kImageSize, CV_8UC3, const_cast<uint8_t*>(pixels.data())),
                 kWholeQuality);
}

std::vector<uint8_t> thumbnail_pixels(const std::vector<uint8_t>& jpeg) {
  if (jpeg.empty()) return {};
  const cv::Mat image = decode_image(jpeg, cv::IMREAD_COLOR);
  if (image.rows != kImageSize || image.cols != kImageSize || !image.isContinuous()) return {};
  return {image.data, image.data + kImageBytes};
}

std::vector<uint8_t> half_thumbnail(const std::vector<uint8_t>& jpeg) {
  if (jpeg.empty()) return {};
  const cv::Mat image = decode_image(jpeg, cv::IMREAD_REDUCED_COLOR_2);
  if (image.rows != kImageSize / 2 || image.cols != kImageSize / 2) return {};
  return encoded(image, kHalfQuality);
}

}  // namespace lookalike
