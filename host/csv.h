// CSV as RFC 4180 has it: commas; fields in double quotes may hold commas, line ends and doubled quotes.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lookalike {

class CsvError : public std::runtime_error {
 public:
  CsvError(int64_t line, const std::string& what) : std::runtime_error(what), line_(line) {}
  int64_t line() const { return line_; }

 private:
  int64_t line_;
};

// Records end with LF or CR LF; the last may lack it. A byte order mark and blank lines are dropped. A quote
// within an unquoted field is a character like any other.
class CsvReader {
 public:
  // Sets the next line, with its end; false where there is none.
  using NextLine = std::function<bool(std::string& line)>;

  // Memory is that of one record, whose fields are bounded.
  explicit CsvReader(NextLine next_line);
  // All of a text, which has to outlive the reader.
  explicit CsvReader(std::string_view text);

  // False at the end. Throws CsvError for a quote that is not closed (within 16 MiB), or closed before the
  // field's end.
  bool next(std::vector<std::string>& fields);

  int64_t line() const { return record_line_; }  // where the last record began, counted from 1

 private:
  std::string quoted_field();
  bool at_line_end() const;
  bool read_line();

  NextLine next_line_;
  std::string buffer_;     // the line at work
  std::string_view rest_;  // of buffer_
  int64_t line_ = 0, record_line_ = 0;
};

// As it is, or in quotes where it needs them.
std::string quoted_csv_field(const std::string& field);

// Without a UTF-8 byte order mark.
std::string_view drop_byte_order_mark(std::string_view text);

}  // namespace lookalike
