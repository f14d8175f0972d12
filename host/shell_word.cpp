#include "host/shell_word.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/progress.h"

namespace lookalike {
namespace {

bool is_plain(char c) {
  constexpr std::string_view kMarks = "_@%+=:,./-";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

// Every byte beyond plain ASCII as \xNN: an escape of two digits ends by itself in bash, zsh and ksh alike.
std::string dollar_quoted(std::string_view text) {
  std::string word = "$'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      word += '\\';
      word += c;
    } else if (c >= ' ' && c <= '~') {
      word += c;
    } else {
      word += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return word + "'";
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  if (printable(text) != text) return dollar_quoted(text);
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string shell_path(const std::string& path) {
  return shell_word(path.starts_with('-') && path != "-" ? "./" + path : path);
}

}  // namespace lookalike
