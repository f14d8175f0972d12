#include "host/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "engine/error.h"
#include "host/photo_codecs.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

// Pixels.
constexpr int kMargin = 24;
constexpr int kGap = 14;       // between photos
constexpr int kDivide = 44;    // between a query with its reconstruction and the neighbours
constexpr int kHeading = 34;   // above the first row
constexpr int kCaptions = 44;  // under a photo
constexpr int kRowGap = 18;
constexpr int kMaxSide = 32'000;
constexpr int64_t kMaxPixels = 250'000'000;

const cv::Scalar kInk(40, 40, 40), kFaint(130, 130, 130), kLine(215, 215, 215), kNoPhoto(235, 235, 235);

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kCaptionScale = 0.46, kNameScale = 0.36;

int width_of(const std::string& text, double scale) {
  int below = 0;
  return cv::getTextSize(text, kFont, scale, 1, &below).width;
}

// OpenCV's font has ASCII alone.
std::string ascii(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else if (byte < 0x80 || byte >= 0xc0) {  // one mark a character, not one a byte of it
      out += '?';
    }
  }
  return out;
}

// What fits of a name: all of it, or without its folders, or that name's two ends.
std::string shortened(const std::string& text, double scale, int width) {
  if (width_of(text, scale) <= width) return text;
  const std::string name = text.substr(text.rfind('/') + 1);
  if (width_of(name, scale) <= width) return name;
  for (std::size_t kept = name.size() - 1; kept > 1 && kept < name.size(); --kept) {
    const std::size_t head = kept / 2;
    const std::string shorter = name.substr(0, head) + ".." + name.substr(name.size() - (kept - head));
    if (width_of(shorter, scale) <= width) return shorter;
  }
  return "..";
}

void write(cv::Mat& sheet, const std::string& text, int left, int baseline, double scale,
           const cv::Scalar& colour) {
  const std::string fitting = shortened(ascii(text), scale, kImageSize);
  cv::putText(sheet, fitting, {left + (kImageSize - width_of(fitting, scale)) / 2, baseline}, kFont, scale,
              colour, 1, cv::LINE_AA);
}

void draw(cv::Mat& sheet, const Tile& tile, int left, int top) {
  cv::Mat place = sheet(cv::Rect(left, top, kImageSize, kImageSize));
  if (tile.pixels.size() == std::size_t{kImageBytes}) {
    cv::Mat(kImageSize, kImageSize, CV_8UC3, const_cast<uint8_t*>(tile.pixels.data())).copyTo(place);
  } else {
    place.setTo(kNoPhoto);
  }
  // Most product photos are white to the edge, as the sheet is.
  cv::rectangle(sheet, cv::Rect(left - 1, top - 1, kImageSize + 2, kImageSize + 2), kLine, 1);
  write(sheet, tile.caption, left, top + kImageSize + 18, kCaptionScale, kInk);
  write(sheet, tile.name, left, top + kImageSize + 35, kNameScale, kFaint);
}

int left_of(std::size_t column) {
  const int left = kMargin + static_cast<int>(column) * (kImageSize + kGap);
  return column < 2 ? left : left + kDivide - kGap;
}

}  // namespace

namespace {

struct SheetSize {
  int64_t width = 0, height = 0;
};

SheetSize sheet_size(int64_t neighbours, int64_t rows) {
  constexpr int64_t kPitch = kImageSize + kCaptions + kRowGap;
  return {2 * kMargin + (neighbours + 2) * (kImageSize + kGap) + kDivide - 2 * kGap,
          2 * kMargin + kHeading + rows * kPitch - kRowGap};
}

}  // namespace

void require_picture_fits(int64_t neighbours, int64_t rows) {
  const auto [width, height] = sheet_size(neighbours, rows);
  if (width <= kMaxSide && height <= kMaxSide && width * height <= kMaxPixels) return;
  throw usage_error(fmt::format("the picture would have {} x {} pixels, ask for fewer neighbours or queries",
                                width, height));
}

std::vector<uint8_t> search_picture(const std::vector<PictureRow>& rows) {
  constexpr int64_t kPitch = kImageSize + kCaptions + kRowGap;
  std::size_t neighbours = 0;
  for (const PictureRow& row : rows) neighbours = std::max(neighbours, row.neighbours.size());
  require_picture_fits(static_cast<int64_t>(neighbours), std::ssize(rows));
  const auto [width, height] = sheet_size(static_cast<int64_t>(neighbours), std::ssize(rows));

  cv::Mat sheet(static_cast<int>(height), static_cast<int>(width), CV_8UC3, cv::Scalar::all(255));
  write(sheet, "query", left_of(0), kMargin + 14, kCaptionScale, kFaint);
  write(sheet, "reconstruction", left_of(1), kMargin + 14, kCaptionScale, kFaint);
  for (std::size_t n = 0; n < neighbours; ++n) {
    write(sheet, std::to_string(n + 1), left_of(n + 2), kMargin + 14, kCaptionScale, kFaint);
  }
  const int divide = (left_of(1) + kImageSize + left_of(2)) / 2;
  cv::line(sheet, {divide, kMargin}, {divide, static_cast<int>(height) - kMargin}, kLine, 1);

  int top = kMargin + kHeading;
  for (const PictureRow& row : rows) {
    draw(sheet, row.query, left_of(0), top);
    draw(sheet, row.reconstruction, left_of(1), top);
    for (std::size_t n = 0; n < row.neighbours.size(); ++n)
      draw(sheet, row.neighbours[n], left_of(n + 2), top);
    top += static_cast<int>(kPitch);
  }
  return encode_image(".png", sheet);
}

}  // namespace lookalike
