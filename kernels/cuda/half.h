// fp16 as bits, for the host and for the emulator: IEEE binary16, rounded to nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace lookalike::gpu {

inline float half_value(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
  const std::uint32_t magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00)  // infinity and NaN
    return std::bit_cast<float>(sign | 0x7f800000U | (magnitude & 0x3ff) << 13);
  // Exponents are 112 apart; the product is exact, for subnormals too.
  return std::bit_cast<float>(sign | magnitude << 13) * 0x1p112F;
}

inline std::uint16_t half_bits(float x) {
  const auto u = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint32_t>(u >> 16 & 0x8000);
  const std::uint32_t magnitude = u & 0x7fffffff;
  std::uint32_t h = 0;
  if (magnitude > 0x7f800000) {
    h = 0x7e00;
  } else if (magnitude >= 0x477ff000) {  // 65520 and above round to infinity
    h = 0x7c00;
  } else if (magnitude < 0x38800000) {  // below 2^-14: a multiple of 2^-24, which adding 0.5 leaves in place
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    h = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U;
  } else {
    h = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | h);
}

}  // namespace lookalike::gpu
