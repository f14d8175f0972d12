#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <opencv2/imgcodecs.hpp>

#include "host/photo_codecs.h"
#include "host/photo_decode.h"

namespace lookalike {
namespace {

// With m the largest value of T, a pixel over the background b is (c a + b (m - a)) / m, in 8 bits times
// 255 / m more. Rounded once.
template <typename T>
void composite(const cv::Mat& in, const Background& background, bool premultiplied, cv::Mat& out) {
  constexpr uint64_t kMax = std::numeric_limits<T>::max();
  constexpr uint64_t kSquare = kMax * kMax;
  const int channels = in.channels();
  for (int y = 0; y < in.rows; ++y) {
    const T* from = in.ptr<T>(y);
    uint8_t* to = out.ptr<uint8_t>(y);
    for (int x = 0; x < in.cols; ++x, from += channels, to += 3) {
      const uint64_t alpha = channels == 4 ? from[3] : kMax;
      for (int c = 0; c < 3; ++c) {
        const uint64_t colour = from[channels == 1 ? 0 : c];
        const uint64_t behind = background[static_cast<size_t>(c)] * (kMax / 255) * (kMax - alpha);
        const uint64_t sum = std::min(colour * (premultiplied ? kMax : alpha) + behind, kSquare);
        to[c] = static_cast<uint8_t>((sum * 255 + kSquare / 2) / kSquare);
      }
    }
  }
}

// c k / m, in 8 bits times 255 / m. Rounded once.
template <typename T>
void absorb(const cv::Mat& inks, bool inverted, cv::Mat& out) {
  constexpr uint64_t kMax = std::numeric_limits<T>::max();
  constexpr uint64_t kSquare = kMax * kMax;
  for (int y = 0; y < inks.rows; ++y) {
    const T* from = inks.ptr<T>(y);
    uint8_t* to = out.ptr<uint8_t>(y);
    for (int x = 0; x < inks.cols; ++x, from += 4, to += 3) {
      const auto light = [&](int ink) { return inverted ? uint64_t{from[ink]} : kMax - from[ink]; };
      for (int c = 0; c < 3; ++c) {
        to[c] = static_cast<uint8_t>((light(2 - c) * light(3) * 255 + kSquare / 2) / kSquare);
      }
    }
  }
}

}  // namespace

void check_file_size(int64_t bytes, const PhotoLimits& limits) {
  if (bytes < 1) throw RefusedPhoto("empty");
  if (bytes > limits.file_bytes) {
    throw RefusedPhoto(fmt::format("file of {} bytes, more than the limit of {}", bytes, limits.file_bytes));
  }
}

void check_photo_size(int64_t width, int64_t height, const PhotoLimits& limits) {
  if (width < 1 || height < 1) throw RefusedPhoto(fmt::format("damaged: {}x{} pixels", width, height));
  if (width > limits.pixels / height) {
    throw RefusedPhoto(
        fmt::format("{}x{} pixels are more than the limit of {}", width, height, limits.pixels));
  }
}

cv::Mat decode_with_opencv(const std::vector<uint8_t>& file, int64_t width, int64_t height) {
  cv::Mat pixels;
  try {
    pixels = decode_image(file, cv::IMREAD_UNCHANGED | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
    throw RefusedPhoto("damaged: it cannot be decoded");
  }
  const int channels = pixels.channels();
  if (pixels.empty()) throw RefusedPhoto("damaged: it cannot be decoded");
  if (pixels.cols != width || pixels.rows != height) throw RefusedPhoto("damaged: its sizes disagree");
  if (pixels.depth() != CV_8U && pixels.depth() != CV_16U) throw RefusedPhoto("not 8 or 16 bits a channel");
  if (channels != 1 && channels != 3 && channels != 4) throw RefusedPhoto("neither grey nor colour");
  return pixels;
}

cv::Mat to_bgr(const cv::Mat& pixels, const Background& background, bool premultiplied) {
  if (pixels.type() == CV_8UC3) return pixels;
  cv::Mat bgr(pixels.size(), CV_8UC3);
  if (pixels.depth() == CV_16U) {
    composite<uint16_t>(pixels, background, premultiplied, bgr);
  } else {
    composite<uint8_t>(pixels, background, premultiplied, bgr);
  }
  return bgr;
}

cv::Mat inks_to_bgr(const cv::Mat& inks, bool inverted) {
  cv::Mat bgr(inks.size(), CV_8UC3);
  if (inks.depth() == CV_16U) {
    absorb<uint16_t>(inks, inverted, bgr);
  } else {
    absorb<uint8_t>(inks, inverted, bgr);
  }
  return bgr;
}

cv::Mat upright(const cv::Mat& pixels, int orientation) {
  constexpr int kLeftRight = 1, kUpDown = 0, kBoth = -1;
  cv::Mat turned = pixels;
  if (swaps_sides(orientation)) cv::transpose(pixels, turned);
  if (orientation == 2 || orientation == 6) cv::flip(turned, turned, kLeftRight);
  if (orientation == 3 || orientation == 7) cv::flip(turned, turned, kBoth);
  if (orientation == 4 || orientation == 8) cv::flip(turned, turned, kUpDown);
  return turned;
}

}  // namespace lookalike
