#include "host/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/error.h"

namespace lookalike {
namespace {

// A fingerprint, which tells a user nothing.
bool is_hash(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "52 photos" of "52 photos, HASH"; empty for another text.
std::string count_before_hash(const std::string& text) {
  const std::size_t comma = text.rfind(", ");
  return comma != std::string::npos && is_hash(text.substr(comma + 2)) ? text.substr(0, comma) : "";
}

// What differs: "was made with --epochs '1', not '20'".
std::string difference(const char* called, const std::optional<std::string>& before,
                       const std::optional<std::string>& now) {
  if (before && now) {
    if (is_hash(*before) && is_hash(*now)) return fmt::format("was not made with {} given now", called);
    const std::string count = count_before_hash(*before), new_count = count_before_hash(*now);
    if (!count.empty() && !new_count.empty()) {
      return fmt::format("was not made with {} given now ({})", called,
                         count == new_count ? count + " both times, not all the same"
                                            : fmt::format("{} before, {} now", count, new_count));
    }
  }
  const auto quoted = [](const std::optional<std::string>& value) {
    return value ? "'" + *value + "'" : "no value";
  };
  return fmt::format("was made with {} {}, not {}", called, quoted(before), quoted(now));
}

}  // namespace

std::vector<std::string> last_bit_warnings(const Settings& begun_with, const Settings& now,
                                           const std::string& where, const std::string& what) {
  std::vector<std::string> warnings;
  for (const char* name : kNotCompared) {
    const auto before = begun_with.find(name);
    const std::string& value = now.at(name);
    if (before != begun_with.end() && before->second == value) continue;
    warnings.push_back(
        fmt::format("warning: {} was {} when {} was begun and is now {}: {} can differ in their last bits "
                    "from an unbroken run",
                    name, before == begun_with.end() ? "not known" : before->second, where, value, what));
  }
  return warnings;
}

void require_same_settings(const std::string& folder, const Settings& stored, const Settings& asked,
                           const SettingsRule& rule) {
  std::vector<SettingName> names(rule.names.begin(), rule.names.end());
  for (const Settings* settings : {&asked, &stored}) {
    for (const auto& [key, value] : *settings) names.push_back({key.c_str(), key.c_str()});
  }
  const auto value = [](const Settings& settings, const char* key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::nullopt : std::optional(found->second);
  };
  for (const auto& [key, called] : names) {
    const bool skipped = std::ranges::any_of(
        rule.not_compared, [key = std::string_view(key)](const char* other) { return key == other; });
    const std::optional<std::string> before = value(stored, key), now = value(asked, key);
    if (skipped || before == now) continue;
    throw usage_error(fmt::format("{} {}, give the same, another folder, or --force to start over", folder,
                                  difference(called, before, now)));
  }
}

}  // namespace lookalike
