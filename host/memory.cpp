#include "host/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace lookalike {
namespace {

std::optional<int64_t> number_in(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // missing, or "max"
}

std::optional<int64_t> kernel_free_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  int64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemAvailable:") return kib * 1024;
    std::getline(file, unit);
  }
  return std::nullopt;
}

std::optional<int64_t> group_free_bytes() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return std::nullopt;
  return std::max<int64_t>(*limit - *used, 0);
}

}  // namespace

int64_t free_memory_bytes() {
  constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();
  const int64_t free =
      std::min(kernel_free_bytes().value_or(kUnknown), group_free_bytes().value_or(kUnknown));
  return free == kUnknown ? int64_t{1} << 30 : free;
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  return file >> size >> resident ? resident * sysconf(_SC_PAGE_SIZE) : 0;
}

}  // namespace lookalike
