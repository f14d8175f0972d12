#include <algorithm>
#include <array>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

enum Tag : uint32_t {
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kCompression = 259,
  kColours = 262,
  kStripOffsets = 273,
  kOrientation = 274,
  kSamples = 277,
  kStripRows = 278,
  kStripBytes = 279,
  kPlanes = 284,
  kExtraSamples = 338,
  kSampleFormat = 339,
};
enum Colours : uint32_t { kWhiteIsZero = 0, kBlackIsZero = 1, kRgb = 2, kPalette = 3 };

constexpr uint32_t kUncompressed = 1;
constexpr std::array<uint32_t, 5> kLossless = {kUncompressed, 5, 8, 32773, 32946};  // LZW, Deflate, PackBits
constexpr uint8_t kShort = 3;                                                       // entry type
constexpr uint32_t kUnsigned = 1, kChunky = 1, kPremultiplied = 1;

// Only the kinds that OpenCV is known to decode right: it reports little of what libtiff finds wrong.
void check_kind(const TiffDirectory& directory, uint32_t bits, uint32_t samples) {
  const uint32_t colours = directory.value(kColours, ~0U);
  const uint32_t compression = directory.value(kCompression, kUncompressed);
  const bool grey = colours == kBlackIsZero || (colours == kWhiteIsZero && bits == 8);
  const bool one_channel = samples == 1 && (grey || (colours == kPalette && bits == 8));
  const bool colour = (samples == 3 || samples == 4) && colours == kRgb;
  const auto depths = directory.values(kBits);
  const auto formats = directory.values(kSampleFormat);
  if ((bits != 8 && bits != 16) || !(one_channel || colour) || depths.size() != samples ||
      std::ranges::any_of(depths, [bits](uint32_t depth) { return depth != bits; }) ||
      std::ranges::any_of(formats, [](uint32_t format) { return format != kUnsigned; }) ||
      directory.value(kPlanes, kChunky) != kChunky ||
      std::ranges::find(kLossless, compression) == kLossless.end()) {
    throw RefusedPhoto("TIFF of a kind that is not read; convert it to PNG");
  }
}

void check_strips(Bytes file, const TiffDirectory& directory, int64_t height, int64_t row_bytes) {
  const auto offsets = directory.values(kStripOffsets), lengths = directory.values(kStripBytes);
  const int64_t count = static_cast<int64_t>(offsets.size());
  const int64_t rows = std::min<int64_t>(height, directory.value(kStripRows, ~0U));
  if (rows < 1 || count != (height + rows - 1) / rows || lengths.size() != offsets.size()) {
    throw RefusedPhoto("damaged TIFF: its strips are not told");
  }
  const bool uncompressed = directory.value(kCompression, kUncompressed) == kUncompressed;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length = lengths[static_cast<size_t>(i)];
    ByteView(file, directory.order()).slice(offsets[static_cast<size_t>(i)], length);
    if (uncompressed && length < std::min(rows, height - i * rows) * row_bytes) {
      throw RefusedPhoto("damaged TIFF: pixels are missing");
    }
  }
}

}  // namespace

StoredPhoto decode_tiff(Bytes file, const PhotoLimits& limits, const Background& background) {
  const TiffDirectory directory(file);
  const int64_t width = directory.value(kWidth, 0), height = directory.value(kHeight, 0);
  check_photo_size(width, height, limits);
  const uint32_t samples = directory.value(kSamples, 1);
  const auto depths = directory.values(kBits);
  const uint32_t bits = depths.empty() ? 1 : depths.front();
  check_kind(directory, bits, samples);
  check_strips(file, directory, height, width * samples * (bits / 8));

  StoredPhoto photo;
  const uint32_t orientation = directory.value(kOrientation, 1);
  photo.orientation = orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  std::vector<uint8_t> copy(file.begin(), file.end());
  if (const auto entry = directory.entry_offset(kOrientation)) {
    // OpenCV would turn the photo, strip by strip: the entry becomes "one SHORT, 1".
    const std::ptrdiff_t low = directory.order() == std::endian::little ? 0 : 1;
    const auto at = copy.begin() + *entry;
    std::fill(at + 2, at + 12, uint8_t{0});
    at[2 + low] = kShort;
    at[4 + 3 * low] = 1;
    at[8 + low] = 1;
  }
  const cv::Mat decoded = decode_with_opencv(copy, width, height);
  // In 8 bits libtiff has multiplied by alpha already.
  const bool premultiplied = bits == 8 || directory.values(kExtraSamples) == std::vector{kPremultiplied};
  photo.pixels = to_bgr(decoded, background, premultiplied);
  photo.width = decoded.cols;
  photo.height = decoded.rows;
  return photo;
}

}  // namespace lookalike
