// Warp collectives: shuffles, votes, matches.
#pragma once

#include <string>

#include "tests/emulation/machine.h"

namespace lookalike::emu {

template <class T>
struct Shuffled {
  T value;
  int source;  // -1: own value
};

template <class T>
T shuffle(std::uint32_t mask, T value, int source, const char* op, Site at) {
  struct Result {
    T value;
    bool ok;
  };
  const auto finish = [](Lanes<Shuffled<T>, Result> w) {
    for (unsigned l = 0; l < 32; ++l) {
      if (!w.has(l)) continue;
      const unsigned from = w.in(l).source < 0 ? l : static_cast<unsigned>(w.in(l).source);
      w.out(l).ok = w.has(from);
      if (w.has(from)) w.out(l).value = w.in(from).value;
    }
  };
  const auto r = collect<Shuffled<T>, Result>(mask, op, Kind::plain, {value, source}, finish, at);
  if (!r.ok) fail(std::string(op) + " reads lane " + std::to_string(source) + ", which takes no part", at);
  return r.value;
}

}  // namespace lookalike::emu

inline void __syncwarp(std::uint32_t mask = ~0U, EMU_SITE) {
  namespace emu = lookalike::emu;
  emu::collective(
      mask, "__syncwarp", emu::Kind::fence, nullptr, 0, [](emu::Slots, emu::Slots, std::uint32_t) {},
      EMU_HERE);
}
template <class T>
T __shfl_sync(std::uint32_t m, T v, int source, int width = 32, EMU_SITE) {
  const int l = static_cast<int>(lookalike::emu::lane());
  return lookalike::emu::shuffle(m, v, (l & ~(width - 1)) + (source & (width - 1)), "__shfl_sync", EMU_HERE);
}
template <class T>
T __shfl_up_sync(std::uint32_t m, T v, unsigned distance, int width = 32, EMU_SITE) {
  const int l = static_cast<int>(lookalike::emu::lane()), s = l - static_cast<int>(distance);
  return lookalike::emu::shuffle(m, v, s < (l & ~(width - 1)) ? -1 : s, "__shfl_up_sync", EMU_HERE);
}
template <class T>
T __shfl_down_sync(std::uint32_t m, T v, unsigned distance, int width = 32, EMU_SITE) {
  const int l = static_cast<int>(lookalike::emu::lane()), s = l + static_cast<int>(distance);
  return lookalike::emu::shuffle(m, v, s > (l | (width - 1)) ? -1 : s, "__shfl_down_sync", EMU_HERE);
}
template <class T>
T __shfl_xor_sync(std::uint32_t m, T v, int distance, int width = 32, EMU_SITE) {
  const int l = static_cast<int>(lookalike::emu::lane()), s = l ^ distance;
  return lookalike::emu::shuffle(m, v, s > (l | (width - 1)) ? -1 : s, "__shfl_xor_sync", EMU_HERE);
}
inline std::uint32_t __ballot_sync(std::uint32_t m, int predicate, EMU_SITE) {
  namespace emu = lookalike::emu;
  const auto finish = [](emu::Lanes<int, std::uint32_t> w) {
    std::uint32_t votes = 0;
    for (unsigned l = 0; l < 32; ++l) votes |= static_cast<std::uint32_t>(w.has(l) && w.in(l) != 0) << l;
    for (unsigned l = 0; l < 32; ++l)
      if (w.has(l)) w.out(l) = votes;
  };
  return emu::collect<int, std::uint32_t>(m, "__ballot_sync", emu::Kind::plain, predicate, finish, EMU_HERE);
}
inline int __any_sync(std::uint32_t m, int p, EMU_SITE) {
  return __ballot_sync(m, p, emu_file, emu_line) != 0 ? 1 : 0;
}
inline int __all_sync(std::uint32_t m, int p, EMU_SITE) {
  return __ballot_sync(m, p == 0 ? 1 : 0, emu_file, emu_line) == 0 ? 1 : 0;
}
template <class T>
std::uint32_t __match_any_sync(std::uint32_t m, T v, EMU_SITE) {
  namespace emu = lookalike::emu;
  const auto finish = [](emu::Lanes<T, std::uint32_t> w) {
    for (unsigned l = 0; l < 32; ++l) {
      if (!w.has(l)) continue;
      w.out(l) = 0;
      for (unsigned k = 0; k < 32; ++k)
        if (w.has(k) && std::memcmp(&w.in(l), &w.in(k), sizeof(T)) == 0) w.out(l) |= 1U << k;
    }
  };
  return emu::collect<T, std::uint32_t>(m, "__match_any_sync", emu::Kind::plain, v, finish, EMU_HERE);
}
