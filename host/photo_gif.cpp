#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

constexpr int64_t kHeaderBytes = 6;  // "GIF89a"
constexpr int64_t kScreenBytes = 7, kFrameBytes = 9;
constexpr uint32_t kExtension = 0x21, kFrame = 0x2C, kEnd = 0x3B;
constexpr uint32_t kGraphicControl = 0xF9, kTransparent = 0x01;

int64_t colour_table_bytes(uint32_t flags) { return (flags & 0x80) != 0 ? int64_t{6} << (flags & 7) : 0; }

struct GifFacts {
  int64_t width = 0, height = 0;              // of the screen, which frames lie on
  int64_t frame_width = 0, frame_height = 0;  // of the first frame
  std::optional<uint32_t> transparent;        // its see-through colour
};

int64_t skip_sub_blocks(const ByteView& view, int64_t at) {
  for (uint32_t length = view.u8(at); length > 0; length = view.u8(at)) at += 1 + int64_t{length};
  return at + 1;
}

// Block by block to the end mark, so that a cut anywhere shows.
GifFacts check_gif(Bytes file) {
  const ByteView view(file, std::endian::little);
  GifFacts facts;
  facts.width = view.u16(kHeaderBytes);
  facts.height = view.u16(kHeaderBytes + 2);
  bool framed = false;
  int64_t at = kHeaderBytes + kScreenBytes + colour_table_bytes(view.u8(kHeaderBytes + 4));
  for (;;) {
    const uint32_t block = view.u8(at++);
    if (block == kEnd && framed) return facts;
    if (block == kExtension) {
      const bool control = view.u8(at) == kGraphicControl && view.u8(at + 1) == 4;
      if (!framed && control) {
        facts.transparent.reset();
        if ((view.u8(at + 2) & kTransparent) != 0) facts.transparent = view.u8(at + 5);
      }
      at = skip_sub_blocks(view, at + 1);
    } else if (block == kFrame) {
      if (!framed) {
        facts.frame_width = view.u16(at + 4);
        facts.frame_height = view.u16(at + 6);
        framed = true;
      }
      at += kFrameBytes + colour_table_bytes(view.u8(at + 8));
      at = skip_sub_blocks(view, at + 1);  // the first byte is the code size
    } else {
      throw RefusedPhoto(block == kEnd ? "GIF without a picture" : "damaged GIF: unknown block");
    }
  }
}

struct GifReader {
  Bytes file;
  size_t at = 0;

  static int read(GifFileType* gif, GifByteType* into, int wanted) {
    GifReader& self = *static_cast<GifReader*>(gif->UserData);
    const size_t bytes = std::min(self.file.size() - self.at, static_cast<size_t>(wanted));
    std::memcpy(into, self.file.data() + self.at, bytes);
    self.at += bytes;
    return static_cast<int>(bytes);
  }
};

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, CloseGif>;

[[noreturn]] void refuse(int code) {
  if (code == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  const char* text = GifErrorString(code);
  throw RefusedPhoto(fmt::format("damaged GIF: {}", text != nullptr ? text : "it cannot be decoded"));
}

void require(const Gif& gif, int result) {
  if (result != GIF_OK) refuse(gif->Error);
}

// Reads up to the first frame's pixels.
Gif open_first_frame(GifReader& reader) {
  int error = 0;
  Gif gif(DGifOpen(&reader, GifReader::read, &error));
  if (!gif) refuse(error);
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    require(gif, DGifGetRecordType(gif.get(), &type));
    if (type == IMAGE_DESC_RECORD_TYPE) break;
    int code = 0;
    GifByteType* block = nullptr;
    require(gif, DGifGetExtension(gif.get(), &code, &block));
    while (block != nullptr) require(gif, DGifGetExtensionNext(gif.get(), &block));
  }
  require(gif, DGifGetImageDesc(gif.get()));
  return gif;
}

// Rows of a frame in the order in which they are stored.
std::vector<int> stored_rows(int height, bool interlaced) {
  std::vector<int> rows;
  constexpr std::array<std::array<int, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};  // first, step
  if (!interlaced) {
    for (int y = 0; y < height; ++y) rows.push_back(y);
    return rows;
  }
  for (const auto& [first, step] : kPasses) {
    for (int y = first; y < height; y += step) rows.push_back(y);
  }
  return rows;
}

}  // namespace

StoredPhoto decode_gif(Bytes file, const PhotoLimits& limits, const Background& background) {
  GifFacts facts = check_gif(file);
  check_photo_size(facts.frame_width, facts.frame_height, limits);
  if (facts.width == 0 && facts.height == 0) {  // some programs leave the screen to its frame
    facts.width = facts.frame_width;
    facts.height = facts.frame_height;
  }
  check_photo_size(facts.width, facts.height, limits);

  GifReader reader{file};
  const Gif gif = open_first_frame(reader);
  const GifImageDesc& frame = gif->Image;
  const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap;
  if (colours == nullptr) throw RefusedPhoto("GIF without colours");

  StoredPhoto photo;
  photo.width = static_cast<int>(facts.width);
  photo.height = static_cast<int>(facts.height);
  photo.pixels =
      cv::Mat(photo.height, photo.width, CV_8UC3, cv::Scalar(background[0], background[1], background[2]));
  std::vector<GifPixelType> line(static_cast<size_t>(frame.Width));
  for (const int row : stored_rows(frame.Height, frame.Interlace)) {
    require(gif, DGifGetLine(gif.get(), line.data(), frame.Width));
    for (int x = 0; x < frame.Width; ++x) {
      const GifPixelType index = line[static_cast<size_t>(x)];
      if (index == facts.transparent) continue;
      if (index >= colours->ColorCount) throw RefusedPhoto("damaged GIF: a pixel has no colour");
      const cv::Point at(frame.Left + x, frame.Top + row);
      if (at.x >= photo.width || at.y >= photo.height) continue;  // no part of the screen
      const GifColorType& colour = colours->Colors[index];
      photo.pixels.at<cv::Vec3b>(at) = {colour.Blue, colour.Green, colour.Red};
    }
  }
  return photo;
}

}  // namespace lookalike
