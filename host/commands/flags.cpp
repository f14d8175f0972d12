#include "host/commands/flags.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "engine/error.h"

namespace lookalike {

namespace {

template <typename Number>
bool is_number(const std::string& text) {
  Number value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

std::string whole_number(const std::string& text) {
  return is_number<int64_t>(text) ? "" : "'" + text + "' is not a whole number of at most 64 bits";
}

std::string real_number(const std::string& text) {
  return is_number<double>(text) ? "" : "'" + text + "' is not a number";
}

std::string radius(const std::string& text) {
  double value = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good =
      error == std::errc() && stop == text.data() + text.size() && value >= 0 && std::isfinite(value);
  return good ? "" : "'" + text + "' is not a distance, which is a number from 0 on";
}

std::string not_empty(const std::string& text) { return text.empty() ? "it is empty, give a name" : ""; }

int64_t parse_size(const char* flag, const std::string& text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  std::string unit(stop, end);
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  constexpr std::string_view kUnits = "KMGT";
  const std::size_t power = unit.empty() || unit == "B" ? 0 : kUnits.find(unit[0]) + 1;  // npos + 1 is 0
  const bool known = power == 0 ? unit.empty() || unit == "B"
                                : unit.size() == 1 || unit.substr(1) == "B" || unit.substr(1) == "IB";
  const int shift = 10 * static_cast<int>(power);
  if (error != std::errc() || !known || value < 0 || value > (INT64_MAX >> shift)) {
    throw usage_error(fmt::format("{} is '{}', take a size such as 512M, 2G or 512MiB", flag, text));
  }
  return value << shift;
}

void require_within(const char* flag, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return;
  throw usage_error(fmt::format("{} is {}, take a whole number from {} to {}", flag, value, low, high));
}

void add_catalog_flag(CLI::App& command, std::string& catalog) {
  command.add_option("-c,--catalog", catalog, "Catalog made by encode")
      ->required()
      ->check(not_empty)
      ->type_name("CATALOG");
}

CLI::Option* add_radius_flag(CLI::App& command, const char* flag, double& value, const char* meaning) {
  return command.add_option(flag, value, meaning)->type_name("DISTANCE")->check(radius);
}

void add_collapse_flag(CLI::App& command, std::optional<double>& within) {
  command
      .add_option("--collapse", within,
                  "Show one of each group of near-duplicates, as lookalike duplicates --within finds them")
      ->type_name("DISTANCE")
      ->check(radius);
}

void add_codes_flag(CLI::App& command, CodeKind& kind) {
  command
      .add_option_function<std::string>(
          "--codes",
          [&kind](const std::string& name) {
            kind = name == "compact" ? CodeKind::kCompact : CodeKind::kPlain;
          },
          "plain, or compact: what lookalike compact made of them")
      ->default_str("plain")
      ->type_name("KIND")
      ->check(CLI::Validator(CLI::IsMember({"plain", "compact"})).description(""));
}

void add_photos(CLI::App& command, std::string& photos) {
  command.add_option("PHOTOS", photos, "Folder (searched through), list file, .csv with a path column, or -")
      ->required()
      ->check(not_empty)
      ->option_text(" ");
}

void add_refusal_flags(CLI::App& command, PhotoLimits& limits, RefusalFlags& typed, const char* when) {
  add_number(command, "--max-pixels", limits.pixels, "N", "Refuse photos of more pixels");
  command.add_option("--max-file-size", typed.max_file_size, "Refuse larger files, as 512K or 64M")
      ->type_name("SIZE")
      ->capture_default_str();
  add_number(command, "--max-scans", limits.jpeg_scans, "N", "Refuse JPEGs of more scans");
  typed.max_bad_given =
      command
          .add_option("--max-bad", typed.max_bad,
                      std::string("Exit code 4 where more photos are refused: 2% of them, or 10; ") + when)
          ->type_name("N%");
}

void take_refusal_flags(const RefusalFlags& typed, PhotoLimits& limits, RefusalLimit& max_bad) {
  constexpr int64_t kMaxPixels = int64_t{1} << 30;  // OpenCV's own
  constexpr int64_t kMaxFileBytes = std::numeric_limits<int32_t>::max();
  constexpr int64_t kMaxScans = 1'000'000;
  limits.file_bytes = parse_size("--max-file-size", typed.max_file_size);
  require_within("--max-pixels", limits.pixels, 1, kMaxPixels);
  require_within("--max-file-size", limits.file_bytes, 1, kMaxFileBytes);
  require_within("--max-scans", limits.jpeg_scans, 1, kMaxScans);
  if (typed.max_bad_given->count() > 0) max_bad = parse_refusal_limit(typed.max_bad);
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

void add_dry_run_flag(CLI::App& command, bool& dry_run) {
  command.add_flag("-n,--dry-run", dry_run,
                   "Write nothing: print the plan, with time from a short measurement");
}

}  // namespace lookalike
