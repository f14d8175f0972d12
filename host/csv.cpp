#include "host/csv.h"

#include <algorithm>
#include <utility>

namespace lookalike {

std::string_view drop_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

namespace {

constexpr size_t kMaxFieldBytes = size_t{16} << 20;

CsvReader::NextLine lines_of(std::string_view text) {
  return [rest = drop_byte_order_mark(text)](std::string& line) mutable {
    const size_t end = std::min(rest.find('\n'), rest.size());
    line = rest.substr(0, std::min(end + 1, rest.size()));
    rest.remove_prefix(line.size());
    return !line.empty();
  };
}

}  // namespace

CsvReader::CsvReader(NextLine next_line) : next_line_(std::move(next_line)) {}

CsvReader::CsvReader(std::string_view text) : CsvReader(lines_of(text)) {}

bool CsvReader::read_line() {
  if (!next_line_(buffer_)) return false;
  rest_ = buffer_;
  ++line_;
  return true;
}

bool CsvReader::at_line_end() const { return rest_.empty() || rest_ == "\n" || rest_ == "\r\n"; }

std::string CsvReader::quoted_field() {
  const int64_t start = line_;
  std::string field;
  rest_.remove_prefix(1);
  for (;;) {
    const size_t quote = rest_.find('"');
    if (quote == std::string_view::npos) {
      field += rest_;
      if (field.size() > kMaxFieldBytes) throw CsvError(start, "a quote is opened and not closed in 16 MiB");
      if (!read_line()) throw CsvError(start, "a quote is opened and never closed");
      continue;
    }
    field += rest_.substr(0, quote);
    rest_.remove_prefix(quote + 1);
    if (!rest_.starts_with('"')) return field;
    field += '"';
    rest_.remove_prefix(1);
  }
}

bool CsvReader::next(std::vector<std::string>& fields) {
  do {
    if (!read_line()) return false;
  } while (at_line_end());

  record_line_ = line_;
  fields.clear();
  for (;;) {
    if (rest_.starts_with('"')) {
      fields.push_back(quoted_field());
      if (!rest_.starts_with(',') && !at_line_end()) throw CsvError(line_, "text follows a closing quote");
    } else {
      const size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
      std::string_view field = rest_.substr(0, end);
      const bool ends_line = end == rest_.size() || rest_[end] == '\n';
      if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
      fields.emplace_back(field);
      rest_.remove_prefix(end);
    }
    if (!rest_.starts_with(',')) return true;
    rest_.remove_prefix(1);
  }
}

std::string quoted_csv_field(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace lookalike
