#include "host/csv.h"

#include <algorithm>

namespace lookalike {

std::string_view drop_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

CsvReader::CsvReader(std::string_view text) : rest_(drop_byte_order_mark(text)) {}

bool CsvReader::at_line_end() const { return rest_.starts_with("\n") || rest_.starts_with("\r\n"); }

std::string CsvReader::quoted_field() {
  const int64_t start = line_;
  std::string field;
  rest_.remove_prefix(1);
  for (;;) {
    const size_t quote = rest_.find('"');
    if (quote == std::string_view::npos) throw CsvError(start, "a quote is opened and never closed");
    field += rest_.substr(0, quote);
    line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(quote), '\n');
    rest_.remove_prefix(quote + 1);
    if (!rest_.starts_with('"')) return field;
    field += '"';
    rest_.remove_prefix(1);
  }
}

bool CsvReader::next(std::vector<std::string>& fields) {
  while (at_line_end()) {
    rest_.remove_prefix(rest_.front() == '\n' ? 1 : 2);
    ++line_;
  }
  if (rest_.empty()) return false;

  record_line_ = line_;
  fields.clear();
  for (;;) {
    if (rest_.starts_with('"')) {
      fields.push_back(quoted_field());
      if (!rest_.empty() && !rest_.starts_with(',') && !at_line_end()) {
        throw CsvError(line_, "text follows a closing quote");
      }
    } else {
      const size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
      std::string_view field = rest_.substr(0, end);
      const bool ends_line = end == rest_.size() || rest_[end] == '\n';
      if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
      fields.emplace_back(field);
      rest_.remove_prefix(end);
    }
    if (!rest_.starts_with(',')) break;
    rest_.remove_prefix(1);
  }
  if (at_line_end()) {
    rest_.remove_prefix(rest_.front() == '\n' ? 1 : 2);
    ++line_;
  }
  return true;
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
