#include "host/commands/flags.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/error.h"

namespace lookalike {

std::string whole_number(const std::string& text) {
  int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && stop == text.data() + text.size()) return "";
  return "'" + text + "' is not a whole number of at most 64 bits";
}

void require_within(const char* flag, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return;
  throw usage_error(fmt::format("{} is {}, take a whole number from {} to {}", flag, value, low, high));
}

void add_photos(CLI::App& command, std::string& photos) {
  command.add_option("PHOTOS", photos, "Folder (searched through), list file, .csv with a path column, or -")
      ->required()
      ->option_text(" ");
}

void add_device_flags(CLI::App& command, std::string& device, int& threads) {
  command.add_option("--device", device, "auto, cpu or cuda")->type_name("NAME")->capture_default_str();
  add_number(command, "--threads", threads, "N", "0: one for each core; results do not depend on it");
}

void add_progress_flags(CLI::App& command, std::string& style, bool& quiet) {
  command.add_option("--progress", style, "auto, bar, plain, json or none")
      ->type_name("STYLE")
      ->capture_default_str()
      ->check(CLI::Validator(CLI::IsMember({"auto", "bar", "plain", "json", "none"})).description(""));
  command.add_flag("-q,--quiet", quiet, "Say nothing but errors");
}

}  // namespace lookalike
