#include <algorithm>
#include <array>
#include <string_view>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

constexpr int64_t kSignatureBytes = 8;
constexpr int64_t kChunkFrameBytes = 12;  // length, type, CRC
constexpr uint32_t kGrey = 0;             // colour type

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}

uint32_t crc32(Bytes bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = 0xFFFFFFFFU;
  for (const uint8_t byte : bytes) crc = kTable[(crc ^ byte) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

// What a PNG tells before it is decoded, and the file reduced to the chunks that make its pixels: text,
// profiles and animations are neither needed nor trusted.
struct CheckedPng {
  std::vector<uint8_t> file;
  uint32_t width = 0, height = 0, depth = 0, colour_type = 0;
  std::optional<uint32_t> transparent_grey;
  int orientation = 1;
};

CheckedPng check_png(Bytes file, const PhotoLimits& limits) {
  const ByteView view(file, std::endian::big);
  CheckedPng png;
  const auto keep = [&png](Bytes bytes) { png.file.insert(png.file.end(), bytes.begin(), bytes.end()); };
  keep(view.slice(0, kSignatureBytes));

  for (int64_t at = kSignatureBytes;;) {
    const int64_t length = view.u32(at);
    const Bytes type_and_data = view.slice(at + 4, 4 + length);
    if (view.u32(at + 8 + length) != crc32(type_and_data)) throw RefusedPhoto("damaged PNG: wrong checksum");
    const std::string_view type(reinterpret_cast<const char*>(type_and_data.data()), 4);
    const ByteView data(type_and_data.subspan(4), std::endian::big);
    const bool first = at == kSignatureBytes;
    if (first != (type == "IHDR") || (first && length != 13)) {
      throw RefusedPhoto("damaged PNG: no header at its start");
    }
    if (first) {
      png.width = data.u32(0);
      png.height = data.u32(4);
      png.depth = data.u8(8);
      png.colour_type = data.u8(9);
      check_photo_size(png.width, png.height, limits);
    }
    if (type == "tRNS" && png.colour_type == kGrey) png.transparent_grey = data.u16(0);
    if (type == "eXIf") png.orientation = exif_orientation(type_and_data.subspan(4));
    const bool known = type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND";
    const bool critical = (type[0] & 0x20) == 0;
    if (critical && !known) throw RefusedPhoto("PNG of an unknown kind");
    if (known) keep(view.slice(at, kChunkFrameBytes + length));
    at += kChunkFrameBytes + length;
    if (type == "IEND") return png;
  }
}

}  // namespace

StoredPhoto decode_png(Bytes file, const PhotoLimits& limits, const Background& background) {
  const CheckedPng png = check_png(file, limits);
  const cv::Mat decoded = decode_with_opencv(png.file, png.width, png.height);
  StoredPhoto photo{to_bgr(decoded, background), decoded.cols, decoded.rows, png.orientation};
  if (png.transparent_grey && decoded.channels() == 1) {
    // OpenCV keeps grey as it is and widens it to 8 bits.
    const uint32_t widened = png.depth < 8 ? 255 / ((1U << png.depth) - 1) : 1;
    cv::Mat see_through;
    cv::compare(decoded, cv::Scalar(*png.transparent_grey * widened), see_through, cv::CMP_EQ);
    photo.pixels.setTo(cv::Scalar(background[0], background[1], background[2]), see_through);
  }
  return photo;
}

}  // namespace lookalike
