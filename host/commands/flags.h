// Flags that several commands have, and checks of what was typed.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "host/catalog.h"
#include "host/photo.h"
#include "host/refusals.h"

namespace lookalike {

// For CLI::Option::check: empty, or why the text is no whole number of 64 bits. CLI11 itself would saturate.
std::string whole_number(const std::string& text);

template <typename Integer>
CLI::Option* add_number(CLI::App& command, const char* flag, Integer& value, const char* unit,
                        const char* meaning) {
  return command.add_option(flag, value, meaning)
      ->type_name(unit)
      ->capture_default_str()
      ->check(whole_number);
}

// The same for a number with a fraction, which must fit a double.
std::string real_number(const std::string& text);

// For distances: a number from 0 on, and finite.
std::string radius(const std::string& text);

// For names: a variable that is not set leaves an empty one.
std::string not_empty(const std::string& text);

// "512", "2G", "512MiB", "1.5 GB" is none: whole numbers with K, M, G or T, each 1024 of the one before, and
// perhaps B or iB. Throws E_USAGE naming the flag.
int64_t parse_size(const char* flag, const std::string& text);

// Throws E_USAGE naming flag, value and range.
void require_within(const char* flag, int64_t value, int64_t low, int64_t high);

inline constexpr int64_t kMaxThreads = 4096;
inline constexpr int64_t kMaxNeighbours = int64_t{1} << 40;

// --collapse DISTANCE.
void add_collapse_flag(CLI::App& command, std::optional<double>& within);
CLI::Option* add_radius_flag(CLI::App& command, const char* flag, double& value, const char* meaning);

void add_photos(CLI::App& command, std::string& photos);
void add_catalog_flag(CLI::App& command, std::string& catalog);
// --codes plain|compact.
void add_codes_flag(CLI::App& command, CodeKind& kind);

// --max-pixels, --max-file-size, --max-scans and --max-bad as they were typed.
struct RefusalFlags {
  std::string max_file_size = "64M";
  std::string max_bad;
  CLI::Option* max_bad_given = nullptr;
};
void add_refusal_flags(CLI::App& command, PhotoLimits& limits, RefusalFlags& typed, const char* when);
// Throws E_USAGE for what is no limit or out of range.
void take_refusal_flags(const RefusalFlags& typed, PhotoLimits& limits, RefusalLimit& max_bad);

void add_device_flags(CLI::App& command, std::string& device, int& threads);
void add_progress_flags(CLI::App& command, std::string& style, bool& quiet);
void add_dry_run_flag(CLI::App& command, bool& dry_run);

}  // namespace lookalike
