#include "host/bytes_text.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

namespace lookalike {
namespace {

constexpr std::string_view kMark = "hex:";

bool is_utf8(const std::string& bytes) {
  try {
    return !nlohmann::json(bytes).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

std::string bytes_to_text(const std::string& bytes) {
  if (!bytes.starts_with(kMark) && is_utf8(bytes)) return bytes;
  std::string text(kMark);
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string text_to_bytes(const std::string& text) {
  if (!text.starts_with(kMark) || text.size() % 2 != 0) return text;
  std::string bytes;
  for (const char* digits = text.data() + kMark.size(); digits != text.data() + text.size(); digits += 2) {
    unsigned char byte = 0;
    const auto [end, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc() || end != digits + 2) return text;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace lookalike
