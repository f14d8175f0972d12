// What a run was made with, as name -> text: kept with its result and compared when the run goes on.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

namespace lookalike {

using Settings = std::map<std::string, std::string>;

// Kept and not compared: they can change no more than a result's last bits.
inline constexpr std::array<const char*, 2> kNotCompared = {"instruction_set", "version"};

// A warning for each of these that was another when `where` was begun; what: "codes", "the weights".
std::vector<std::string> last_bit_warnings(const Settings& begun_with, const Settings& now,
                                           const std::string& where, const std::string& what);

}  // namespace lookalike
