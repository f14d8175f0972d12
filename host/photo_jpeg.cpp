#include <csetjmp>
#include <cstdio>
// jpeglib.h needs size_t and FILE to be there.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <new>
#include <string>

#include "host/photo_decode.h"
#include "host/photo_fit.h"

namespace lookalike {
namespace {

// One libjpeg decompressor. libjpeg reports by callbacks that may not return; they longjmp back into
// attempt(), past frames of libjpeg and of `step` alone, which own nothing.
class Decompressor {
 public:
  explicit Decompressor(int scan_limit) : scan_limit_(scan_limit) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { self(info).fail(); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) self(info).fail();  // a warning
    };
    progress_.progress_monitor = [](j_common_ptr info) { self(info).check_scans(); };
    info_.client_data = this;
    attempt([](jpeg_decompress_struct& info) { jpeg_create_decompress(&info); });
    info_.progress = &progress_;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  jpeg_decompress_struct& info() { return info_; }

  // Runs step(info), which calls libjpeg and must own nothing that needs a destructor.
  template <typename Step>
  void attempt(const Step& step) {
    if (!completes(step)) refuse();
  }

 private:
  static Decompressor& self(j_common_ptr info) { return *static_cast<Decompressor*>(info->client_data); }

  template <typename Step>
  bool completes(const Step& step) {
    if (setjmp(failed_) != 0) return false;
    step(info_);
    return true;
  }

  [[noreturn]] void fail() {
    code_ = errors_.msg_code;
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message_);
    std::longjmp(failed_, 1);
  }

  void check_scans() {
    if (info_.input_scan_number <= scan_limit_) return;
    too_many_scans_ = true;
    std::longjmp(failed_, 1);
  }

  [[noreturn]] void refuse() const {
    if (too_many_scans_) throw RefusedPhoto(fmt::format("JPEG of more than {} scans", scan_limit_));
    if (code_ == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code_ == JERR_NO_BACKING_STORE) throw RefusedPhoto("JPEG that needs too much memory");
    throw RefusedPhoto(fmt::format("damaged JPEG: {}", message_));
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf failed_;
  int scan_limit_;
  int code_ = 0;
  bool too_many_scans_ = false;
  char message_[JMSG_LENGTH_MAX] = {};
};

constexpr unsigned kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kMarkerBytes = 0xFFFF;
constexpr int64_t kWorkingBytesPerPixel = 8;  // coefficients of a progressive 4:4:4 photo take 6

int stored_orientation(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const Bytes data(marker->data, marker->data_length);
    constexpr std::string_view kMark("Exif\0\0", 6);
    if (marker->marker == kExifMarker && data.size() > kMark.size() &&
        std::equal(kMark.begin(), kMark.end(), data.begin())) {
      return exif_orientation(data);
    }
  }
  return 1;
}

J_COLOR_SPACE decoded_colours(const jpeg_decompress_struct& info) {
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
      return JCS_EXT_BGR;
    case JCS_CMYK:
    case JCS_YCCK:
      return JCS_CMYK;
    default:
      throw RefusedPhoto(fmt::format("JPEG of {} channels of unknown colours", info.num_components));
  }
}

// reduce_by(width, height): 1, 2, 4 or 8.
template <typename ReduceBy>
StoredPhoto decode(Bytes file, const PhotoLimits& limits, const ReduceBy& reduce_by) {
  Decompressor decompressor(limits.jpeg_scans);
  decompressor.attempt([&](jpeg_decompress_struct& info) {
    jpeg_mem_src(&info, file.data(), static_cast<unsigned long>(file.size()));
    jpeg_save_markers(&info, kExifMarker, kMarkerBytes);
    jpeg_read_header(&info, TRUE);
  });

  jpeg_decompress_struct& info = decompressor.info();
  StoredPhoto photo;
  check_photo_size(info.image_width, info.image_height, limits);
  photo.width = static_cast<int>(info.image_width);
  photo.height = static_cast<int>(info.image_height);
  photo.orientation = stored_orientation(info);
  info.out_color_space = decoded_colours(info);
  info.mem->max_memory_to_use = static_cast<long>(kWorkingBytesPerPixel * limits.pixels);
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(reduce_by(photo.width, photo.height));
  decompressor.attempt([](jpeg_decompress_struct& i) { jpeg_calc_output_dimensions(&i); });

  const bool cmyk = info.out_color_space == JCS_CMYK;
  photo.pixels.create(static_cast<int>(info.output_height), static_cast<int>(info.output_width),
                      cmyk ? CV_8UC4 : CV_8UC3);
  decompressor.attempt([&pixels = photo.pixels](jpeg_decompress_struct& i) {
    jpeg_start_decompress(&i);
    while (i.output_scanline < i.output_height) {
      JSAMPROW row = pixels.data + pixels.step[0] * i.output_scanline;
      jpeg_read_scanlines(&i, &row, 1);
    }
    jpeg_finish_decompress(&i);
  });
  // Adobe's programs store inks inverted.
  if (cmyk) photo.pixels = inks_to_bgr(photo.pixels, info.saw_Adobe_marker != FALSE);
  return photo;
}

}  // namespace

StoredPhoto decode_jpeg(Bytes file, const PhotoLimits& limits, std::optional<Fit> reduce_for) {
  return decode(file, limits, [reduce_for](int width, int height) {
    return reduce_for ? reduction(width, height, *reduce_for) : 1;
  });
}

StoredPhoto decode_jpeg_reduced(Bytes file, const PhotoLimits& limits, int by) {
  return decode(file, limits, [by](int, int) { return by; });
}

}  // namespace lookalike
