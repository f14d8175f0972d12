#include "host/preview.h"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>

#include "engine/error.h"
#include "host/photo_codecs.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

constexpr int kPitch = kImageSize + kPreviewGap;

void paste_row(std::span<const uint8_t> images, int row, cv::Mat& sheet) {
  const int count = static_cast<int>(images.size() / std::size_t{kImageBytes});
  for (int i = 0; i < count; ++i) {
    const uint8_t* image = images.data() + i * kImageBytes;
    for (int y = 0; y < kImageSize; ++y) {
      const int64_t line = int64_t{kImageSize} * kImageChannels;
      std::copy_n(image + y * line, line,
                  sheet.ptr(kPreviewGap + row * kPitch + y, kPreviewGap + i * kPitch));
    }
  }
}

}  // namespace

std::vector<int64_t> preview_choice(int64_t size) {
  const int64_t count = std::min<int64_t>(size, kPreviewPhotos);
  std::vector<int64_t> choice;
  for (int64_t i = 0; i < count; ++i) choice.push_back(i * size / count);
  return choice;
}

std::vector<uint8_t> preview_png(std::span<const uint8_t> originals,
                                 std::span<const uint8_t> reconstructions) {
  const int count = static_cast<int>(originals.size() / std::size_t{kImageBytes});
  cv::Mat sheet(kPreviewGap + 2 * kPitch, kPreviewGap + count * kPitch, CV_8UC3, cv::Scalar::all(255));
  paste_row(originals, 0, sheet);
  paste_row(reconstructions, 1, sheet);
  return encode_image(".png", sheet);
}

}  // namespace lookalike
