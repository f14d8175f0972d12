// The lines of a text of any length, read piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lookalike {

inline constexpr int64_t kMaxLineBytes = int64_t{16} << 20;

class TextLines {
 public:
  // descriptor: open for reading, stays the caller's. name: of the text, for messages.
  TextLines(int descriptor, std::string name);

  // The next line with its end, without a byte order mark; false at the end. Throws E_USAGE for what cannot
  // be read or holds a NUL, which no text does, and for a line longer than kMaxLineBytes.
  bool next(std::string& line);

 private:
  bool read_piece();

  int descriptor_;
  std::string name_;
  std::string piece_;
  std::size_t at_ = 0;  // in piece_
  bool first_ = true;
};

}  // namespace lookalike
