// CSV as RFC 4180 has it: commas; fields in double quotes may hold commas, line ends and doubled quotes.
#pragma once

#include <cstdint>
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
  explicit CsvReader(std::string_view text);

  // False at the end. Throws CsvError for a quote that is not closed, or closed before the field's end.
  bool next(std::vector<std::string>& fields);

  int64_t line() const { return record_line_; }  // where the last record began, counted from 1

 private:
  std::string quoted_field();
  bool at_line_end() const;

  std::string_view rest_;
  int64_t line_ = 1, record_line_ = 1;
};

// As it is, or in quotes where it needs them.
std::string quoted_csv_field(const std::string& field);

// Without a UTF-8 byte order mark.
std::string_view drop_byte_order_mark(std::string_view text);

}  // namespace lookalike
