#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

constexpr std::array<uint32_t, 6> kCompressions = {COMPRESSION_NONE,          COMPRESSION_LZW,
                                                   COMPRESSION_ADOBE_DEFLATE, COMPRESSION_JPEG,
                                                   COMPRESSION_DEFLATE,       COMPRESSION_PACKBITS};

// What the first directory says of the pixels, and where they lie.
struct Layout {
  int64_t width = 0, height = 0;
  uint32_t bits = 1, samples = 1, colours = 0, compression = 0;
  bool separate = false, tiled = false;     // a plane for each sample; tiles in place of strips
  int64_t part_width = 0, part_height = 0;  // of a tile or strip
  std::optional<uint32_t> extra;            // what the sample beyond the colours means
  int orientation = 1;

  int64_t across() const { return (width + part_width - 1) / part_width; }
  int64_t down() const { return (height + part_height - 1) / part_height; }
  int64_t planes() const { return separate ? samples : 1; }
  int64_t samples_together() const { return separate ? 1 : samples; }
  int64_t row_bytes(int64_t columns) const { return (columns * samples_together() * bits + 7) / 8; }
};

// What libtiff reads is what this class says: every entry and every strip lies inside the file. libtiff would
// guess where they do not.
Layout read_layout(Bytes file, const PhotoLimits& limits) {
  const TiffDirectory directory(file);
  directory.check_entries();
  Layout layout;
  layout.width = directory.value(TIFFTAG_IMAGEWIDTH, 0);
  layout.height = directory.value(TIFFTAG_IMAGELENGTH, 0);
  check_photo_size(layout.width, layout.height, limits);
  layout.samples = directory.value(TIFFTAG_SAMPLESPERPIXEL, 1);
  layout.colours = directory.value(TIFFTAG_PHOTOMETRIC, ~0U);
  layout.compression = directory.value(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  layout.separate = directory.value(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) != PLANARCONFIG_CONTIG;
  const auto depths = directory.values(TIFFTAG_BITSPERSAMPLE),
             formats = directory.values(TIFFTAG_SAMPLEFORMAT);
  if (!depths.empty()) layout.bits = depths.front();
  if (const auto extra = directory.values(TIFFTAG_EXTRASAMPLES); !extra.empty()) layout.extra = extra.front();
  const uint32_t orientation = directory.value(TIFFTAG_ORIENTATION, 1);
  if (orientation >= 1 && orientation <= 8) layout.orientation = static_cast<int>(orientation);

  const uint32_t colours = layout.colours, samples = layout.samples, bits = layout.bits;
  const bool grey = colours == PHOTOMETRIC_MINISBLACK || colours == PHOTOMETRIC_MINISWHITE;
  const bool deep = bits == 8 || bits == 16;
  const bool jpeg = layout.compression == COMPRESSION_JPEG;
  const bool known = (grey && (samples == 1 || (samples == 2 && deep))) ||
                     (colours == PHOTOMETRIC_PALETTE && samples == 1 && bits <= 8) ||
                     (colours == PHOTOMETRIC_RGB && (samples == 3 || samples == 4) && deep) ||
                     (colours == PHOTOMETRIC_SEPARATED && samples == 4 && deep &&
                      directory.value(TIFFTAG_INKSET, INKSET_CMYK) == INKSET_CMYK) ||
                     (colours == PHOTOMETRIC_YCBCR && samples == 3 && jpeg && !layout.separate);
  if (!known || !(deep || bits == 1 || bits == 2 || bits == 4) || (jpeg && bits != 8) ||
      std::ranges::find(kCompressions, layout.compression) == kCompressions.end() ||
      std::ranges::any_of(depths, [bits](uint32_t depth) { return depth != bits; }) ||
      std::ranges::any_of(formats, [](uint32_t format) { return format != SAMPLEFORMAT_UINT; })) {
    throw RefusedPhoto("TIFF of a kind that is not read; convert it to PNG");
  }

  layout.tiled = directory.entry_offset(TIFFTAG_TILEOFFSETS).has_value();
  layout.part_width = layout.tiled ? directory.value(TIFFTAG_TILEWIDTH, 0) : layout.width;
  layout.part_height = layout.tiled
                           ? directory.value(TIFFTAG_TILELENGTH, 0)
                           : std::min<int64_t>(layout.height, directory.value(TIFFTAG_ROWSPERSTRIP, ~0U));
  if (layout.part_width < 1 || layout.part_height < 1)
    throw RefusedPhoto("damaged TIFF: its strips are not told");
  check_photo_size(layout.part_width, layout.part_height, limits);
  const auto offsets = directory.values(layout.tiled ? TIFFTAG_TILEOFFSETS : TIFFTAG_STRIPOFFSETS);
  const auto lengths = directory.values(layout.tiled ? TIFFTAG_TILEBYTECOUNTS : TIFFTAG_STRIPBYTECOUNTS);
  const int64_t parts = layout.across() * layout.down() * layout.planes();
  if (std::ssize(offsets) != parts || lengths.size() != offsets.size()) {
    throw RefusedPhoto("damaged TIFF: its strips are not told");
  }
  // Parts may share their bytes, so that a small file can ask for any amount of work.
  PhotoLimits work = limits;
  work.pixels *= 8;
  check_photo_size(parts * layout.part_width, layout.part_height, work);
  const ByteView view(file, directory.order());
  for (size_t i = 0; i < offsets.size(); ++i) {
    view.slice(offsets[i], lengths[i]);
    const int64_t down = static_cast<int64_t>(i) / layout.across() % layout.down();
    const int64_t rows = layout.tiled
                             ? layout.part_height
                             : std::min(layout.part_height, layout.height - down * layout.part_height);
    if (layout.compression == COMPRESSION_NONE && lengths[i] < rows * layout.row_bytes(layout.part_width)) {
      throw RefusedPhoto("damaged TIFF: pixels are missing");
    }
  }
  return layout;
}

// libtiff on a file in memory. Whatever it finds wrong with the pixels refuses the photo; of the directory it
// warns in many a good file (tags it does not know, texts without their end), so that only its errors count.
class OpenTiff {
 public:
  explicit OpenTiff(Bytes file, int64_t largest_allocation) : file_(file) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    if (!options) throw std::bad_alloc();
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), largest_allocation);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note<true>, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), note<false>, this);
    // m: no memory map; libtiff then reads all through read().
    tiff_.reset(
        TIFFClientOpenExt("", "rm", this, read, write, seek, close, size, nullptr, nullptr, options.get()));
    if (!tiff_ || failed_) refuse();
  }
  OpenTiff(const OpenTiff&) = delete;
  OpenTiff& operator=(const OpenTiff&) = delete;

  TIFF* get() const { return tiff_.get(); }

  // A tile or strip; exactly out.size() bytes.
  void read_part(int64_t index, bool tile, std::span<uint8_t> out) {
    warnings_count_ = true;
    const auto number = static_cast<uint32_t>(index);
    const auto bytes = static_cast<tmsize_t>(out.size());
    const tmsize_t got = tile ? TIFFReadEncodedTile(get(), number, out.data(), bytes)
                              : TIFFReadEncodedStrip(get(), number, out.data(), bytes);
    if (got != bytes || failed_) refuse();
  }

 private:
  struct Close {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  };

  [[noreturn]] void refuse() const {
    throw RefusedPhoto(fmt::format("damaged TIFF: {}", failed_ ? message_.data() : "pixels are missing"));
  }

  template <bool kError>
  static int note(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    OpenTiff& self = *static_cast<OpenTiff*>(user);
    if (!self.failed_ && (kError || self.warnings_count_)) {
      self.failed_ = true;
      std::vsnprintf(self.message_.data(), self.message_.size(), format, arguments);
    }
    return 1;
  }

  static OpenTiff& self(thandle_t handle) { return *static_cast<OpenTiff*>(handle); }
  static tmsize_t read(thandle_t handle, void* into, tmsize_t wanted) {
    OpenTiff& tiff = self(handle);
    const size_t bytes = tiff.at_ < tiff.file_.size()
                             ? std::min(tiff.file_.size() - tiff.at_, static_cast<size_t>(wanted))
                             : 0;
    if (bytes > 0) std::memcpy(into, tiff.file_.data() + tiff.at_, bytes);
    tiff.at_ += bytes;
    return static_cast<tmsize_t>(bytes);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    OpenTiff& tiff = self(handle);
    const toff_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? tiff.at_ : tiff.file_.size();
    tiff.at_ = from + offset;
    return tiff.at_;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return self(handle).file_.size(); }

  Bytes file_;
  size_t at_ = 0;
  bool warnings_count_ = false, failed_ = false;
  std::array<char, 256> message_{};
  std::unique_ptr<TIFF, Close> tiff_;
};

// Samples of fewer than 8 bits, from the top of each byte on.
uint8_t small_sample(const uint8_t* row, int64_t index, uint32_t bits) {
  const int64_t bit = index * bits;
  return static_cast<uint8_t>(row[bit / 8] >> (8 - bits - bit % 8) & ((1U << bits) - 1));
}

// All samples, (height, width, samples), as stored: 16 bits or, from fewer, 8.
cv::Mat read_samples(OpenTiff& tiff, const Layout& layout) {
  const bool deep = layout.bits == 16;
  const int channels = static_cast<int>(layout.samples);
  cv::Mat samples(static_cast<int>(layout.height), static_cast<int>(layout.width),
                  CV_MAKETYPE(deep ? CV_16U : CV_8U, channels));
  const int64_t together = layout.samples_together(), stride = layout.row_bytes(layout.part_width);
  std::vector<uint8_t> part(static_cast<size_t>(stride * layout.part_height));
  const int64_t parts = layout.across() * layout.down();
  for (int64_t index = 0; index < parts * layout.planes(); ++index) {
    const int64_t plane = index / parts, left = index % parts % layout.across() * layout.part_width,
                  top = index % parts / layout.across() * layout.part_height;
    const int64_t rows = std::min(layout.part_height, layout.height - top);
    const int64_t columns = std::min(layout.part_width, layout.width - left);
    const std::span whole(part);
    tiff.read_part(index, layout.tiled,
                   layout.tiled ? whole : whole.first(static_cast<size_t>(stride * rows)));
    for (int64_t y = 0; y < rows; ++y) {
      const uint8_t* from = part.data() + y * stride;
      uint8_t* to = samples.ptr<uint8_t>(static_cast<int>(top + y));
      for (int64_t i = 0; i < columns * together; ++i) {
        const int64_t place = (left + i / together) * channels + plane + i % together;
        if (deep) {
          std::memcpy(to + 2 * place, from + 2 * i, 2);
        } else {
          to[place] = layout.bits == 8 ? from[i] : small_sample(from, i, layout.bits);
        }
      }
    }
  }
  return samples;
}

// Indexes -> CV_8UC3.
cv::Mat from_palette(TIFF* tiff, const cv::Mat& indexes) {
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
    throw RefusedPhoto("damaged TIFF: no palette");
  cv::Mat bgr(indexes.size(), CV_8UC3);
  for (int y = 0; y < indexes.rows; ++y) {
    for (int x = 0; x < indexes.cols; ++x) {
      // The upper byte is the colour, whether a writer scaled 8 bits by 256 or by 257.
      const size_t i = indexes.at<uint8_t>(y, x);
      bgr.at<cv::Vec3b>(y, x) = {static_cast<uint8_t>(blue[i] >> 8), static_cast<uint8_t>(green[i] >> 8),
                                 static_cast<uint8_t>(red[i] >> 8)};
    }
  }
  return bgr;
}

// Grey of any depth, perhaps with alpha, to the depth's full range and to three or four channels.
cv::Mat from_grey(const cv::Mat& samples, const Layout& layout) {
  std::vector<cv::Mat> channels;
  cv::split(samples, channels);
  const double most = layout.bits == 16 ? 65535 : 255;
  const double scale = layout.bits < 8 ? 255 / ((1 << layout.bits) - 1) : 1;
  cv::Mat& grey = channels[0];
  const bool white_is_zero = layout.colours == PHOTOMETRIC_MINISWHITE;
  grey.convertTo(grey, -1, white_is_zero ? -scale : scale, white_is_zero ? most : 0);
  if (channels.size() == 1) return grey;
  cv::Mat pixels;
  cv::merge(std::vector<cv::Mat>{grey, grey, grey, channels[1]}, pixels);
  return pixels;
}

}  // namespace

StoredPhoto decode_tiff(Bytes file, const PhotoLimits& limits, const Background& background) {
  const Layout layout = read_layout(file, limits);
  OpenTiff tiff(file, std::max<int64_t>(limits.pixels * 8, 1 << 20));
  if (layout.colours == PHOTOMETRIC_YCBCR) TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  cv::Mat samples = read_samples(tiff, layout);

  StoredPhoto photo;
  photo.width = samples.cols;
  photo.height = samples.rows;
  photo.orientation = layout.orientation;
  if (layout.colours == PHOTOMETRIC_PALETTE) {
    photo.pixels = from_palette(tiff.get(), samples);
  } else if (layout.colours == PHOTOMETRIC_SEPARATED) {
    photo.pixels = inks_to_bgr(samples, false);
  } else {
    const bool grey = layout.colours == PHOTOMETRIC_MINISBLACK || layout.colours == PHOTOMETRIC_MINISWHITE;
    if (grey) {
      samples = from_grey(samples, layout);
    } else {
      cv::cvtColor(samples, samples, samples.channels() == 4 ? cv::COLOR_RGBA2BGRA : cv::COLOR_RGB2BGR);
    }
    // A sample that is told to be no alpha is none; where nothing is told it is one.
    if (samples.channels() == 4 && layout.extra == EXTRASAMPLE_UNSPECIFIED) {
      cv::cvtColor(samples, samples, cv::COLOR_BGRA2BGR);
    }
    photo.pixels = to_bgr(samples, background, layout.extra == EXTRASAMPLE_ASSOCALPHA);
  }
  return photo;
}

}  // namespace lookalike
