// .npy files, version 1.0: 2-D, little-endian float32, C order, a 128-byte header.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/atomic_file.h"

namespace lookalike {

inline constexpr int64_t kNpyHeaderBytes = 128;

// The 128 header bytes for (rows, columns) '<f4'.
std::string npy_header(int64_t rows, int64_t columns);

// A file that grows row by row and is published whole: rows are on their way to the disk when append returns.
class NpyWriter {
 public:
  NpyWriter(const std::string& path, int64_t columns);
  void append(std::span<const float> rows);  // (count, columns)
  int64_t rows() const { return rows_; }
  // Publishes the file; the XXH3-128 of all its bytes.
  std::string commit();

 private:
  std::string path_;
  int64_t rows_ = 0, columns_ = 0;
  AtomicFile file_;
};

// Opened for reading rows with pread; the header is checked against the real file size first. Throws
// E_DAMAGED.
class NpyReader {
 public:
  explicit NpyReader(const std::string& path);
  ~NpyReader();
  NpyReader(const NpyReader&) = delete;
  NpyReader& operator=(const NpyReader&) = delete;

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  // out (count, columns), overwritten: rows first .. first + count.
  void read_rows(int64_t first, int64_t count, std::span<float> out) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t rows_ = 0, columns_ = 0;
};

}  // namespace lookalike
