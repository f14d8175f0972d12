// What a run was made with, as name -> text: kept with its result and compared when the run goes on.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lookalike {

using Settings = std::map<std::string, std::string>;

// Kept and not compared: they can change no more than a result's last bits.
inline constexpr std::array<const char*, 2> kNotCompared = {"instruction_set", "version"};

// A warning for each of these that was another when `where` was begun; what: "codes", "the weights".
std::vector<std::string> last_bit_warnings(const Settings& begun_with, const Settings& now,
                                           const std::string& where, const std::string& what);

struct SettingName {
  const char* key;
  const char* called;  // what a user would change
};

// How two runs' settings are compared.
struct SettingsRule {
  std::span<const SettingName> names;  // compared first and in this order; others are called by their key
  std::span<const char* const> not_compared;  // what cannot shape the result, or is not yet known
};

// Throws E_USAGE naming the first setting that differs, both values, and the way out. A setting that only one
// of the two has differs too.
void require_same_settings(const std::string& folder, const Settings& stored, const Settings& asked,
                           const SettingsRule& rule);

}  // namespace lookalike
