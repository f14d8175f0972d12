#include "host/jpeg_encode.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
// jpeglib.h needs size_t and FILE to be there.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <new>

#include "engine/error.h"

namespace lookalike {
namespace {

// One libjpeg compressor and the bytes it has written. Errors longjmp back into attempt(), past frames of
// libjpeg and of `step` alone, which own nothing.
class Compressor {
 public:
  Compressor() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<Compressor*>(info->client_data)->failed_, 1);
    };
    errors_.emit_message = [](j_common_ptr, int) {};
    info_.client_data = this;
    attempt([this](jpeg_compress_struct& info) {
      jpeg_create_compress(&info);
      jpeg_mem_dest(&info, &bytes_, &size_);
    });
  }
  ~Compressor() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Runs step(info), which calls libjpeg and must own nothing that needs a destructor.
  template <typename Step>
  void attempt(const Step& step) {
    if (!completes(step)) refuse();
  }

  std::vector<uint8_t> bytes() const { return {bytes_, bytes_ + size_}; }

 private:
  template <typename Step>
  bool completes(const Step& step) {
    if (setjmp(failed_) != 0) return false;
    step(info_);
    return true;
  }

  [[noreturn]] void refuse() {
    if (errors_.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    char message[JMSG_LENGTH_MAX] = {};
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message);
    throw system_error(fmt::format(
        "a picture could not be written as JPEG ({}), check the libjpeg that is installed", message));
  }

  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf failed_;
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const cv::Mat& image, int quality) {
  CV_Assert(image.type() == CV_8UC3);
  Compressor compressor;
  compressor.attempt([&image, quality](jpeg_compress_struct& info) {
    info.image_width = static_cast<JDIMENSION>(image.cols);
    info.image_height = static_cast<JDIMENSION>(image.rows);
    info.input_components = 3;
    info.in_color_space = JCS_EXT_BGR;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(image.ptr(static_cast<int>(info.next_scanline)));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  return compressor.bytes();
}

}  // namespace lookalike
