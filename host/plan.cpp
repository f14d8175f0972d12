#include "host/plan.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>

#include "host/files.h"
#include "host/progress.h"

namespace lookalike {

void Plan::add(const std::string& name, const std::string& text) {
  text_ += fmt::format("{:<9} {}\n", name, printable(text));
}

std::string format_bytes(int64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::vector<int64_t> spread_over(int64_t listed, int64_t most) {
  const int64_t count = std::min(listed, most);
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i) places.push_back((2 * i + 1) * listed / (2 * count));
  return places;
}

int64_t bytes_of_file(const std::string& path) {
  struct stat facts = {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) ? facts.st_size : 0;
}

std::string free_space_text(const std::string& path, int64_t bytes) {
  std::string folder = path;
  while (folder != "." && folder != "/" && !is_folder(folder)) folder = folder_of(folder);
  struct statvfs space = {};
  if (::statvfs(folder.c_str(), &space) != 0) return "";
  const auto free = static_cast<int64_t>(uint64_t{space.f_bavail} * space.f_frsize);
  return fmt::format("{}{} free", free < bytes ? "TOO LITTLE: " : "", format_bytes(free));
}

}  // namespace lookalike
