// A .npy file that somebody else's program wrote, read as float32.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/files.h"

namespace lookalike {

// A two-dimensional array of float16, float32 or float64, little-endian, in C order; .npy versions 1 to 3.
// The header is checked against the file's size before anything is read.
class ForeignMatrix {
 public:
  // Throws E_USAGE, saying what to do, for an array of another kind; E_DAMAGED for what is no whole .npy
  // file.
  explicit ForeignMatrix(const std::string& path);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  const std::string& path() const { return path_; }

  // out (count, columns), overwritten: rows first .. first + count, each number rounded to the nearest float;
  // what is too large becomes infinite.
  void read_rows(int64_t first, int64_t count, std::span<float> out);

 private:
  std::string path_;
  RegularFile file_;
  int64_t rows_ = 0, columns_ = 0, data_ = 0;  // data: offset of row 0
  int number_bytes_ = 0;                       // 2, 4 or 8
  std::vector<std::byte> bytes_;
};

// The float of a half's bits; every half has one.
float half_to_float(uint16_t half);

}  // namespace lookalike
