// Inside host/photo: one function for each file format, from bytes to stored pixels. All throw RefusedPhoto.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <vector>

#include "host/photo.h"

namespace lookalike {

using Bytes = std::span<const uint8_t>;
using Background = std::array<uint8_t, 3>;  // blue, green, red

// As the file stores it: not yet turned upright.
struct StoredPhoto {
  cv::Mat pixels;  // CV_8UC3, blue green red; may be smaller than width x height
  int width = 0;   // of the file's full size
  int height = 0;
  int orientation = 1;  // EXIF's 1 .. 8
};

// reduce_for: decode at 1/2, 1/4 or 1/8 size where that is enough for this fit; full size without. Refuses
// what the decoder so much as warns of: a cut file decodes to a grey rest, with nothing but a warning.
StoredPhoto decode_jpeg(Bytes file, const PhotoLimits& limits, std::optional<Fit> reduce_for);
// At 1/by size, by 1, 2, 4 or 8.
StoredPhoto decode_jpeg_reduced(Bytes file, const PhotoLimits& limits, int by);

StoredPhoto decode_png(Bytes file, const PhotoLimits& limits, const Background& background);
StoredPhoto decode_webp(Bytes file, const PhotoLimits& limits, const Background& background);
StoredPhoto decode_bmp(Bytes file, const PhotoLimits& limits, const Background& background);
// 1 to 16 bits; grey, palette, colour, CMYK; strips or tiles; without loss or by JPEG. The first page alone.
StoredPhoto decode_tiff(Bytes file, const PhotoLimits& limits, const Background& background);
// The first frame on its screen; what it leaves free shows the background.
StoredPhoto decode_gif(Bytes file, const PhotoLimits& limits, const Background& background);

// The one of the above whose mark the file begins with.
StoredPhoto decode_stored(Bytes file, const PhotoRule& rule, const PhotoLimits& limits);

// Shared by the above.

// Refuses empty files and those above limits.file_bytes.
void check_file_size(int64_t bytes, const PhotoLimits& limits);

// Refuses empty photos and those above limits.pixels.
void check_photo_size(int64_t width, int64_t height, const PhotoLimits& limits);

// What OpenCV makes of the file, unchanged: 8 or 16 bits, any channels, exactly width x height.
cv::Mat decode_with_opencv(const std::vector<uint8_t>& file, int64_t width, int64_t height);

// Grey, colour or colour with alpha, 8 or 16 bits -> CV_8UC3. Transparent parts show the background;
// premultiplied: colours are already multiplied by alpha. 16-bit values are rounded to the nearest of 8 bits.
cv::Mat to_bgr(const cv::Mat& pixels, const Background& background, bool premultiplied = false);

// Cyan, magenta, yellow, black, 8 or 16 bits -> CV_8UC3: each ink and black hold back their share of white
// light. inverted: stored is how much light an ink lets through.
cv::Mat inks_to_bgr(const cv::Mat& inks, bool inverted);

// Turns stored pixels as EXIF's orientation says.
cv::Mat upright(const cv::Mat& pixels, int orientation);
inline bool swaps_sides(int orientation) { return orientation >= 5; }

// Numbers within bytes; every access beyond their end throws RefusedPhoto.
class ByteView {
 public:
  ByteView(Bytes bytes, std::endian order) : bytes_(bytes), order_(order) {}

  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  Bytes slice(int64_t at, int64_t length) const;
  uint32_t u8(int64_t at) const { return number(at, 1); }
  uint32_t u16(int64_t at) const { return number(at, 2); }
  uint32_t u24(int64_t at) const { return number(at, 3); }
  uint32_t u32(int64_t at) const { return number(at, 4); }

 private:
  uint32_t number(int64_t at, int64_t length) const;

  Bytes bytes_;
  std::endian order_;
};

// The first directory of a TIFF file, which is also what an EXIF block is.
class TiffDirectory {
 public:
  explicit TiffDirectory(Bytes bytes);

  // Unsigned whole numbers (BYTE, SHORT, LONG) of a tag; empty where it is absent or of another type.
  std::vector<uint32_t> values(uint32_t tag) const;
  uint32_t value(uint32_t tag, uint32_t otherwise) const;  // refuses a tag with several values
  std::optional<int64_t> entry_offset(uint32_t tag) const;
  std::endian order() const { return order_; }
  void check_entries() const;  // refuses a file that ends before what an entry points at does

 private:
  ByteView view() const { return {bytes_, order_}; }

  Bytes bytes_;
  std::endian order_;
  int64_t first_entry_ = 0, entries_ = 0;
};

// Orientation 1 .. 8 of an EXIF block (with or without its "Exif" mark); 1 where it says nothing valid.
int exif_orientation(Bytes block);

}  // namespace lookalike
