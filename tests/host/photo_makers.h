// Photo files made in the tests: whole ones by OpenCV and libjpeg, odd ones by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/photo.h"

namespace lookalike::testing {

using File = std::vector<uint8_t>;

inline File encoded(const std::string& extension, const cv::Mat& pixels,
                    const std::vector<int>& options = {}) {
  File file;
  if (!cv::imencode(extension, pixels, file, options)) throw std::runtime_error("imencode failed");
  return file;
}

// Every pixel differs from its neighbours, and smoothly enough for JPEG.
inline cv::Mat gradient(int width, int height) {
  cv::Mat pixels(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      pixels.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<uint8_t>(255 * x / width), static_cast<uint8_t>(255 * y / height),
                    static_cast<uint8_t>(40 + (x + y) % 32));
    }
  }
  return pixels;
}

// One at a time: GCC 12 warns falsely of an overflow where insert() takes a range.
inline void append(File& file, std::string_view text) {
  for (const char c : text) file.push_back(static_cast<uint8_t>(c));
}
inline void append(File& file, const File& bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); }
inline void append_number(File& file, uint64_t value, int bytes, bool big) {
  for (int i = 0; i < bytes; ++i)
    file.push_back(static_cast<uint8_t>(value >> (8 * (big ? bytes - 1 - i : i))));
}

struct Outcome {
  bool refused = false;
  std::string reason;
  Photo photo;
  cv::Mat pixels;  // 150 x 150
};

// Through decode_photo, over a buffer that held something else.
inline Outcome decoded(const File& file, const PhotoRule& rule = {}, const PhotoLimits& limits = {}) {
  Outcome outcome;
  outcome.pixels = cv::Mat(kImageSize, kImageSize, CV_8UC3, cv::Scalar(0xA5, 0xA5, 0xA5));
  try {
    outcome.photo = decode_photo(file, rule, limits, outcome.pixels.data);
  } catch (const RefusedPhoto& refusal) {
    outcome.refused = true;
    outcome.reason = refusal.what();
  }
  return outcome;
}

inline bool all_zero(const cv::Mat& pixels) { return cv::countNonZero(pixels.reshape(1)) == 0; }

inline bool same_pixels(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

// Every proper beginning of a file, and none may be taken for a photo. Nor may a library print of it: a cut
// is found before one is asked.
inline void expect_no_cut_accepted(const File& file) {
  ASSERT_FALSE(decoded(file).refused) << decoded(file).reason;
  ::testing::internal::CaptureStderr();
  for (size_t size = 0; size < file.size(); ++size) {
    const Outcome outcome = decoded(File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_TRUE(outcome.refused) << "cut to " << size << " of " << file.size() << " bytes";
    EXPECT_TRUE(all_zero(outcome.pixels)) << "cut to " << size;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

// EXIF block with one entry, the orientation.
inline File exif_block(uint32_t orientation, bool big = false, uint32_t type = 3, uint32_t count = 1) {
  File block;
  append(block, big ? "MM" : "II");
  append_number(block, 42, 2, big);
  append_number(block, 8, 4, big);
  append_number(block, 1, 2, big);
  append_number(block, 274, 2, big);
  append_number(block, type, 2, big);
  append_number(block, count, 4, big);
  append_number(block, orientation, type == 3 ? 2 : 4, big);
  if (type == 3) append_number(block, 0, 2, big);
  append_number(block, 0, 4, big);
  return block;
}

inline File with_exif(const File& jpeg, const File& block) {
  File file(jpeg.begin(), jpeg.begin() + 2);
  append(file, "\xFF\xE1");
  append_number(file, 2 + 6 + block.size(), 2, true);
  append(file, std::string_view("Exif\0\0", 6));
  append(file, block);
  file.insert(file.end(), jpeg.begin() + 2, jpeg.end());
  return file;
}

// Where EXIF's definition puts stored (row, column): its value names the sides of the upright photo at which
// the stored row 0 and the stored column 0 lie. size: of the upright photo.
inline cv::Point upright_place(int orientation, int row, int column, cv::Size size) {
  const int from_right = size.width - 1, from_bottom = size.height - 1;
  switch (orientation) {
    case 2:  // top, right
      return {from_right - column, row};
    case 3:  // bottom, right
      return {from_right - column, from_bottom - row};
    case 4:  // bottom, left
      return {column, from_bottom - row};
    case 5:  // left, top
      return {row, column};
    case 6:  // right, top
      return {from_right - row, column};
    case 7:  // right, bottom
      return {from_right - row, from_bottom - column};
    case 8:  // left, bottom
      return {row, from_bottom - column};
    default:  // top, left
      return {column, row};
  }
}

inline cv::Mat upright_by_definition(const cv::Mat& stored, int orientation) {
  const cv::Size size = orientation >= 5 ? cv::Size(stored.rows, stored.cols) : stored.size();
  cv::Mat turned(size, stored.type());
  for (int y = 0; y < stored.rows; ++y) {
    for (int x = 0; x < stored.cols; ++x) {
      turned.at<cv::Vec3b>(upright_place(orientation, y, x, size)) = stored.at<cv::Vec3b>(y, x);
    }
  }
  return turned;
}

class PngMaker {
 public:
  PngMaker(uint32_t width, uint32_t height, int depth, int colour_type, bool interlaced = false) {
    append(file_, "\x89PNG\r\n\x1A\n");
    File header;
    append_number(header, width, 4, true);
    append_number(header, height, 4, true);
    for (const int value : {depth, colour_type, 0, 0, interlaced ? 1 : 0}) {
      header.push_back(static_cast<uint8_t>(value));
    }
    chunk("IHDR", header);
  }

  PngMaker& chunk(std::string_view type, const File& data) {
    append_number(file_, data.size(), 4, true);
    const auto start = static_cast<std::ptrdiff_t>(file_.size());
    append(file_, type);
    append(file_, data);
    append_number(file_, crc32(file_.begin() + start, file_.end()), 4, true);
    return *this;
  }

  // rows: each with its filter byte. Stored in zlib's format without compression.
  File finish(const File& rows) {
    File stream = {0x78, 0x01, 0x01};
    append_number(stream, rows.size(), 2, false);
    append_number(stream, rows.size() ^ 0xFFFF, 2, false);
    append(stream, rows);
    uint32_t a = 1, b = 0;
    for (const uint8_t byte : rows) {
      a = (a + byte) % 65521;
      b = (b + a) % 65521;
    }
    append_number(stream, b << 16 | a, 4, true);
    return chunk("IDAT", stream).chunk("IEND", {}).file_;
  }

  const File& file() const { return file_; }

 private:
  static uint32_t crc32(File::const_iterator from, File::const_iterator to) {
    uint32_t crc = 0xFFFFFFFFU;
    for (; from != to; ++from) {
      crc ^= *from;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
    }
    return ~crc;
  }

  File file_;
};

// A TIFF with its directory in front: tags with their values, then the strips.
struct TiffMaker {
  int width = 0, height = 0, bits = 8, samples = 3, colours = 2, rows_per_strip = 1;
  bool big = false;
  std::vector<std::pair<int, int>> more = {};  // SHORT tags, each with one value

  // samples_in_order: row by row, each of `bits` bits.
  File finish(const std::vector<int>& samples_in_order) const {
    const int strips = (height + rows_per_strip - 1) / rows_per_strip;
    const int row_bytes = width * samples * bits / 8;
    struct Entry {
      int tag, type;
      std::vector<int64_t> values;
    };
    std::vector<Entry> entries = {{256, 3, {width}},
                                  {257, 3, {height}},
                                  {258, 3, std::vector<int64_t>(static_cast<size_t>(samples), bits)},
                                  {259, 3, {1}},
                                  {262, 3, {colours}},
                                  {273, 4, {}},
                                  {277, 3, {samples}},
                                  {278, 3, {rows_per_strip}},
                                  {279, 4, {}}};
    for (const auto& [tag, value] : more) {
      std::erase_if(entries, [tag = tag](const Entry& entry) { return entry.tag == tag; });
      entries.push_back({tag, 3, {value}});
    }
    std::ranges::sort(entries, {}, &Entry::tag);
    const auto beyond = [](const Entry& entry) {
      const int64_t bytes = static_cast<int64_t>(entry.values.size()) * (entry.type == 3 ? 2 : 4);
      return bytes > 4 ? bytes : 0;
    };
    for (Entry& entry : entries) {
      if (entry.type == 4) entry.values.assign(static_cast<size_t>(strips), 0);
    }
    int64_t spill = 8 + 2 + 12 * static_cast<int64_t>(entries.size()) + 4, data = spill;
    for (const Entry& entry : entries) data += beyond(entry);
    for (Entry& entry : entries) {
      for (int s = 0; s < strips; ++s) {
        const int rows = std::min(rows_per_strip, height - s * rows_per_strip);
        if (entry.tag == 273) {
          entry.values[static_cast<size_t>(s)] = data + int64_t{s} * rows_per_strip * row_bytes;
        }
        if (entry.tag == 279 && entry.type == 4)
          entry.values[static_cast<size_t>(s)] = int64_t{rows} * row_bytes;
      }
    }
    File file, spilled;
    append(file, big ? "MM" : "II");
    append_number(file, 42, 2, big);
    append_number(file, 8, 4, big);
    append_number(file, entries.size(), 2, big);
    for (const Entry& entry : entries) {
      append_number(file, static_cast<uint64_t>(entry.tag), 2, big);
      append_number(file, static_cast<uint64_t>(entry.type), 2, big);
      append_number(file, entry.values.size(), 4, big);
      File values;
      for (const int64_t value : entry.values) {
        append_number(values, static_cast<uint64_t>(value), entry.type == 3 ? 2 : 4, big);
      }
      if (values.size() > 4) {
        append_number(file, static_cast<uint64_t>(spill) + spilled.size(), 4, big);
        append(spilled, values);
      } else {
        values.resize(4);
        append(file, values);
      }
    }
    append_number(file, 0, 4, big);
    append(file, spilled);
    for (const int sample : samples_in_order)
      append_number(file, static_cast<uint64_t>(sample), bits / 8, big);
    return file;
  }
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lookalike_test.XXXXXX").native();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  // Makes the folders it needs. Returns the file's path.
  std::string write(const std::string& name, std::string_view content) const {
    const std::filesystem::path path = *this / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
    return path.native();
  }
  std::string write(const std::string& name, const File& content) const {
    return write(name, std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
  }

 private:
  std::string path_;
};

}  // namespace lookalike::testing
