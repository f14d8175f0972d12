#include "kernels/cpu/processor.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#if HWY_ARCH_X86
#include <cpuid.h>
#endif

#include <array>
#include <cstdint>
#include <cstring>

namespace lookalike::cpu {

std::string processor_name() {
  std::string name;
#if HWY_ARCH_X86
  constexpr unsigned kFirst = 0x80000002U;
  constexpr unsigned kLast = 0x80000004U;
  if (static_cast<unsigned>(__get_cpuid_max(0x80000000U, nullptr)) >= kLast) {
    for (unsigned leaf = kFirst; leaf <= kLast; ++leaf) {
      std::array<unsigned, 4> registers{};
      __get_cpuid(leaf, &registers[0], &registers[1], &registers[2], &registers[3]);
      std::array<char, sizeof registers + 1> text{};
      std::memcpy(text.data(), registers.data(), sizeof registers);
      name += text.data();
    }
  }
#endif
  const std::size_t first = name.find_first_not_of(' ');
  if (first == std::string::npos) return "unknown processor";
  return name.substr(first, name.find_last_not_of(' ') - first + 1);
}

std::string instruction_set() {
  // The kernels' table is indexed by the best target that is both supported and compiled: the lowest bit.
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable == 0 ? HWY_STATIC_TARGET : usable & -usable);
}

}  // namespace lookalike::cpu
