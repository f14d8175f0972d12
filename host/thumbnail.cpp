#include "host/thumbnail.h"

#include "host/jpeg_encode.h"
#include "host/photo_decode.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

constexpr int kWholeQuality = 85, kHalfQuality = 75;

// At 1/by size; empty where it cannot be decoded or is not 150x150.
cv::Mat decoded(const std::vector<uint8_t>& jpeg, int by) {
  if (jpeg.empty()) return {};
  try {
    const StoredPhoto photo = decode_jpeg_reduced(jpeg, PhotoLimits{}, by);
    if (photo.width == kImageSize && photo.height == kImageSize) return photo.pixels;
  } catch (const RefusedPhoto&) {
  }
  return {};
}

}  // namespace

std::vector<uint8_t> thumbnail_of(std::span<const uint8_t> pixels) {
  return encode_jpeg(cv::Mat(kImageSize, kImageSize, CV_8UC3, const_cast<uint8_t*>(pixels.data())),
                     kWholeQuality);
}

std::vector<uint8_t> thumbnail_pixels(const std::vector<uint8_t>& jpeg) {
  const cv::Mat image = decoded(jpeg, 1);
  if (image.empty()) return {};
  return {image.data, image.data + kImageBytes};
}

std::vector<uint8_t> half_thumbnail(const std::vector<uint8_t>& jpeg) {
  const cv::Mat image = decoded(jpeg, 2);
  if (image.empty()) return {};
  return encode_jpeg(image, kHalfQuality);
}

}  // namespace lookalike
