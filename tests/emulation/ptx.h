// Warp-wide tensor-core instructions and asynchronous copies of sm_80, with the signatures of
// kernels/cuda/ptx.h. Fragment layouts are those of the PTX ISA, section "Matrix fragments".
#pragma once

#include <cstdint>
#include <string>

#include "kernels/cuda/half.h"
#include "tests/emulation/machine.h"

namespace lookalike::gpu {

inline void want_shared(const void* p, std::size_t bytes, std::size_t align, const char* op, emu::Site at) {
  if (reinterpret_cast<std::uintptr_t>(p) % align != 0)
    emu::fail(std::string(op) + ": misaligned address", at);
  if (!emu::in_shared(p, bytes))
    emu::fail(std::string(op) + ": address is not in this block's shared memory", at);
}

template <int Bytes>
void cp_async(void* shared, const void* global, int valid = Bytes, EMU_SITE) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  want_shared(shared, Bytes, Bytes, "cp.async", EMU_HERE);
  if (reinterpret_cast<std::uintptr_t>(global) % Bytes != 0)
    emu::fail("cp.async: misaligned source", EMU_HERE);
  if (valid < 0 || valid > Bytes) emu::fail("cp.async: bad source size", EMU_HERE);
  emu::async(
      [=] {
        if (valid > 0) std::memcpy(shared, global, static_cast<std::size_t>(valid));
        std::memset(static_cast<char*>(shared) + valid, 0, static_cast<std::size_t>(Bytes - valid));
      },
      EMU_HERE);
}
inline void cp_async_commit() { emu::async_commit(); }
template <int Keep>
void cp_async_wait() {
  emu::async_wait(Keep);
}

struct MatrixRow {
  std::uint16_t e[8];
};
struct FourRegisters {
  std::uint32_t r[4];
};
template <bool Transposed>
void load_matrices(std::uint32_t (&r)[4], const void* row, const char* op, emu::Site at) {
  want_shared(row, 16, 16, op, at);
  MatrixRow mine;
  std::memcpy(&mine, row, 16);  // each lane reads the row it names, so sanitizers see that lane's access
  const auto finish = [](emu::Lanes<MatrixRow, FourRegisters> w) {
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned k = 0; k < 4; ++k) {
        const unsigned g = l / 4, t = l % 4 * 2;
        const std::uint32_t low = Transposed ? w.in(k * 8 + t).e[g] : w.in(k * 8 + g).e[t];
        const std::uint32_t high = Transposed ? w.in(k * 8 + t + 1).e[g] : w.in(k * 8 + g).e[t + 1];
        w.out(l).r[k] = low | high << 16;
      }
  };
  const auto out = emu::collect<MatrixRow, FourRegisters>(~0U, op, emu::Kind::aligned, mine, finish, at);
  std::memcpy(r, out.r, 16);
}
inline void ldmatrix_x4(std::uint32_t (&r)[4], const void* row, EMU_SITE) {
  load_matrices<false>(r, row, "ldmatrix.x4", EMU_HERE);
}
inline void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row, EMU_SITE) {
  load_matrices<true>(r, row, "ldmatrix.x4.trans", EMU_HERE);
}

// Lane l holds row l/4, columns l%4*2 and +1; so does the result, of the transposed matrix.
inline std::uint32_t movmatrix_trans(std::uint32_t x, EMU_SITE) {
  const auto finish = [](emu::Lanes<std::uint32_t, std::uint32_t> w) {
    const auto element = [&](unsigned row, unsigned column) {
      return w.in(row * 4 + column / 2) >> (column % 2 * 16) & 0xffff;
    };
    for (unsigned l = 0; l < 32; ++l)
      w.out(l) = element(l % 4 * 2, l / 4) | element(l % 4 * 2 + 1, l / 4) << 16;
  };
  return emu::collect<std::uint32_t, std::uint32_t>(~0U, "movmatrix", emu::Kind::aligned, x, finish,
                                                    EMU_HERE);
}

struct MmaIn {
  std::uint32_t a[4], b[2];
  float c[4];
};
struct MmaOut {
  float d[4];
};
// D = A B + C with A (16, K) and B (K, 8) of fp16, C and D (16, 8) of float. Products are exact in double and
// summed there: the device rounds otherwise, so tests compare within a bound or feed small integers.
template <int K>
void mma_finish(emu::Lanes<MmaIn, MmaOut> w) {
  float a[16][K], b[8][K];
  const auto half = [](std::uint32_t r, unsigned high) {
    return half_value(static_cast<std::uint16_t>(r >> (high * 16)));
  };
  for (unsigned l = 0; l < 32; ++l) {
    const unsigned g = l / 4, t = l % 4 * 2;
    for (unsigned h = 0; h < 2; ++h) {
      for (unsigned r = 0; r < K / 4; ++r) a[g + r % 2 * 8][t + h + r / 2 * 8] = half(w.in(l).a[r], h);
      for (unsigned r = 0; r < K / 8; ++r) b[g][t + h + r * 8] = half(w.in(l).b[r], h);
    }
  }
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
      double sum = w.in(l).c[i];
      for (unsigned k = 0; k < K; ++k)
        sum += static_cast<double>(a[row][k]) * static_cast<double>(b[column][k]);
      w.out(l).d[i] = static_cast<float>(sum);
    }
}
template <int K>
void mma(float (&d)[4], const MmaIn& in, const char* op, emu::Site at) {
  const auto out = emu::collect<MmaIn, MmaOut>(
      ~0U, op, emu::Kind::aligned, in, [](emu::Lanes<MmaIn, MmaOut> w) { mma_finish<K>(w); }, at);
  std::memcpy(d, out.d, sizeof d);
}
inline void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                         const float (&c)[4], EMU_SITE) {
  mma<16>(d, {{a[0], a[1], a[2], a[3]}, {b0, b1}, {c[0], c[1], c[2], c[3]}}, "mma.m16n8k16.f16", EMU_HERE);
}
inline void mma_m16n8k8(float (&d)[4], std::uint32_t a0, std::uint32_t a1, std::uint32_t b,
                        const float (&c)[4], EMU_SITE) {
  mma<8>(d, {{a0, a1, 0, 0}, {b, 0}, {c[0], c[1], c[2], c[3]}}, "mma.m16n8k8.f16", EMU_HERE);
}

inline std::uint32_t pack_half2(float low, float high) {
  return half_bits(low) | static_cast<std::uint32_t>(half_bits(high)) << 16;
}
inline float low_half(std::uint32_t x) { return half_value(static_cast<std::uint16_t>(x)); }
inline float high_half(std::uint32_t x) { return low_half(x >> 16); }
inline std::uint32_t half2_subtract(std::uint32_t a, std::uint32_t b) {
  return pack_half2(low_half(a) - low_half(b), high_half(a) - high_half(b));
}

inline void named_barrier_sync(int id, unsigned threads, EMU_SITE) {
  emu::barrier(id, threads, true, 0, "barrier.sync", EMU_HERE);
}
inline void named_barrier_arrive(int id, unsigned threads, EMU_SITE) {
  emu::barrier(id, threads, false, 0, "barrier.arrive", EMU_HERE);
}

}  // namespace lookalike::gpu

#include "tests/emulation/ptx_hopper.h"
