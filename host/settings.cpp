#include "host/settings.h"

#include <fmt/format.h>

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

}  // namespace lookalike
