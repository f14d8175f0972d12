#include "host/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/error.h"

namespace lookalike {

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
    return found == settings.end() ? "no value" : "'" + found->second + "'";
  };
  for (const auto& [key, called] : names) {
    const bool skipped = std::ranges::any_of(
        rule.not_compared, [key = std::string_view(key)](const char* other) { return key == other; });
    const std::string before = value(stored, key), now = value(asked, key);
    if (skipped || before == now) continue;
    throw usage_error(
        fmt::format("{} was made with {} {}, not {}, give the same, another folder, or --force to start over",
                    folder, called, before, now));
  }
}

}  // namespace lookalike
