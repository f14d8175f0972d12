#include <algorithm>
#include <string_view>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

// File offsets of BMP's headers.
constexpr int64_t kBmpPixelsAt = 10, kBmpHeaderAt = 14;
constexpr uint32_t kBmpOldHeaderBytes = 12, kBmpHeaderBytes = 40;
constexpr uint32_t kBmpPlain = 0, kBmpBitfields = 3;

constexpr int64_t kRiffHeaderBytes = 12, kChunkHeaderBytes = 8;
constexpr uint32_t kWebpAnimated = 0x02;

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

struct WebpFacts {
  int64_t width = 0, height = 0;
  int orientation = 1;
};

// Chunk by chunk, so that a cut anywhere shows. Sizes as RFC 9649 lays them out.
WebpFacts check_webp(Bytes file) {
  const ByteView view(file, std::endian::little);
  const int64_t end = kChunkHeaderBytes + int64_t{view.u32(4)};
  view.slice(0, end);
  WebpFacts facts;
  for (int64_t at = kRiffHeaderBytes; at < end;) {
    const std::string_view type = text(view.slice(at, 4));
    const int64_t length = view.u32(at + 4);
    const ByteView data(view.slice(at + kChunkHeaderBytes, length), std::endian::little);
    if (facts.width == 0 && type == "VP8 ") {
      facts.width = data.u16(6) & 0x3FFF;
      facts.height = data.u16(8) & 0x3FFF;
    } else if (facts.width == 0 && type == "VP8L") {
      const uint32_t sizes = data.u32(1);
      facts.width = 1 + (sizes & 0x3FFF);
      facts.height = 1 + (sizes >> 14 & 0x3FFF);
    } else if (facts.width == 0 && type == "VP8X") {
      if ((data.u8(0) & kWebpAnimated) != 0) throw RefusedPhoto("animated WebP, not a photo");
      facts.width = 1 + int64_t{data.u24(4)};
      facts.height = 1 + int64_t{data.u24(7)};
    } else if (type == "EXIF") {
      facts.orientation = exif_orientation(data.slice(0, length));
    }
    at += kChunkHeaderBytes + length + length % 2;
  }
  return facts;
}

}  // namespace

StoredPhoto decode_webp(Bytes file, const PhotoLimits& limits, const Background& background) {
  const WebpFacts facts = check_webp(file);
  check_photo_size(facts.width, facts.height, limits);
  const cv::Mat decoded = decode_with_opencv({file.begin(), file.end()}, facts.width, facts.height);
  return {to_bgr(decoded, background), decoded.cols, decoded.rows, facts.orientation};
}

StoredPhoto decode_bmp(Bytes file, const PhotoLimits& limits, const Background& background) {
  const ByteView view(file, std::endian::little);
  const uint32_t header_bytes = view.u32(kBmpHeaderAt);
  const bool old = header_bytes == kBmpOldHeaderBytes;
  if (!old && header_bytes < kBmpHeaderBytes) throw RefusedPhoto("damaged BMP: unknown header");
  const int64_t width = old ? int64_t{view.u16(18)} : int64_t{static_cast<int32_t>(view.u32(18))};
  const int64_t signed_height = old ? int64_t{view.u16(20)} : int64_t{static_cast<int32_t>(view.u32(22))};
  const int64_t height = signed_height < 0 ? -signed_height : signed_height;  // negative: stored from the top
  check_photo_size(width, height, limits);
  const uint32_t compression = old ? kBmpPlain : view.u32(30);
  if (compression != kBmpPlain && compression != kBmpBitfields) throw RefusedPhoto("compressed BMP");
  const int64_t row_bytes = (width * view.u16(old ? 24 : 28) + 31) / 32 * 4;
  view.slice(view.u32(kBmpPixelsAt), row_bytes * height);
  const cv::Mat decoded = decode_with_opencv({file.begin(), file.end()}, width, height);
  return {to_bgr(decoded, background), decoded.cols, decoded.rows, 1};
}

}  // namespace lookalike
