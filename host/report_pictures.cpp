#include "host/report_pictures.h"

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

std::vector<uint8_t> jpeg_of(std::span<const uint8_t> pixels) {
  return encoded(cv::Mat(kImageSize, kImageSize, CV_8UC3, const_cast<uint8_t*>(pixels.data())),
                 kWholeQuality);
}

std::vector<uint8_t> half_picture(const std::vector<uint8_t>& thumbnail) {
  if (thumbnail.empty()) return {};
  const cv::Mat image = decode_image(thumbnail, cv::IMREAD_REDUCED_COLOR_2);
  if (image.rows != kImageSize / 2 || image.cols != kImageSize / 2) return {};
  return encoded(image, kHalfQuality);
}

}  // namespace lookalike
