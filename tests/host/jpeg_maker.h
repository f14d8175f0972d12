// JPEG files of kinds that OpenCV does not write.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>
// jpeglib.h needs FILE.
#include <jpeglib.h>

#include "tests/host/photo_makers.h"

namespace lookalike::testing {

// 32 x 32 pixels by libjpeg. configure() gets a compressor with its size set, calls jpeg_set_defaults and
// says the rest; `row` is each of the lines.
inline File jpeg_by_libjpeg(const std::function<void(jpeg_compress_struct&)>& configure,
                            std::vector<uint8_t> row) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = info.image_height = 32;
  configure(info);
  jpeg_start_compress(&info, TRUE);
  JSAMPROW rows[] = {row.data()};
  while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, rows, 1);
  jpeg_finish_compress(&info);
  File file(buffer, buffer + size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return file;
}

}  // namespace lookalike::testing
