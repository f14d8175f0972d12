// mbarriers and bulk copies of sm_90, with the signatures of kernels/cuda/ptx_hopper.h.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/cuda/tensor_map.h"
#include "tests/emulation/ptx.h"

namespace lookalike::gpu {

// The emulator's own picture of the opaque 64 bits.
struct Mbarrier {
  std::int16_t expected, pending;
  std::int32_t bytes_and_phase;  // bytes outstanding * 2 + phase
};

inline void mbarrier_step(std::uint64_t* bar, int arrivals, int bytes) {
  Mbarrier b;
  std::memcpy(&b, bar, 8);
  b.pending = static_cast<std::int16_t>(b.pending - arrivals);
  b.bytes_and_phase += bytes * 2;
  if (b.pending == 0 && b.bytes_and_phase / 2 == 0) {
    b.bytes_and_phase ^= 1;
    b.pending = b.expected;
  }
  std::memcpy(bar, &b, 8);
  emu::release(bar);
  emu::progress();
}

inline void mbarrier_check(std::uint64_t* bar, bool arrives, const char* op, emu::Site at) {
  want_shared(bar, 8, 8, op, at);
  Mbarrier b;
  std::memcpy(&b, bar, 8);  // an ordinary read, against the initialising write
  if (b.expected <= 0) emu::fail(std::string(op) + ": barrier not initialised", at);
  if (arrives && b.pending <= 0) emu::fail(std::string(op) + ": more arrivals than expected", at);
}

inline void mbarrier_init(std::uint64_t* bar, unsigned count, EMU_SITE) {
  want_shared(bar, 8, 8, "mbarrier.init", EMU_HERE);
  const Mbarrier b{static_cast<std::int16_t>(count), static_cast<std::int16_t>(count), 0};
  std::memcpy(bar, &b, 8);  // an ordinary write: others need a barrier before they use it
}

inline void mbarrier_arrive_expect(std::uint64_t* bar, unsigned bytes, EMU_SITE) {
  mbarrier_check(bar, true, "mbarrier.arrive", EMU_HERE);
  const emu::Quiet quiet;
  mbarrier_step(bar, 1, static_cast<int>(bytes));
  emu::give_way();
}
inline void mbarrier_arrive(std::uint64_t* bar, EMU_SITE) {
  mbarrier_arrive_expect(bar, 0, emu_file, emu_line);
}

inline void mbarrier_wait(std::uint64_t* bar, unsigned parity, EMU_SITE) {
  mbarrier_check(bar, false, "mbarrier.wait", EMU_HERE);
  for (;;) {
    {
      const emu::Quiet quiet;
      Mbarrier b;
      std::memcpy(&b, bar, 8);
      if ((static_cast<unsigned>(b.bytes_and_phase) & 1) != parity) break;
    }
    emu::poll("mbarrier.wait", EMU_HERE);
  }
  emu::acquire(bar);
}

inline void fence_async_proxy() { emu::proxy_fence(); }

// Runs `copy` as the copy engine would, then tells the barrier.
template <class Copy>
void by_engine(void* shared, std::uint64_t* bar, unsigned bytes, Copy copy) {
  emu::proxy_read(bar, 8);
  emu::release(static_cast<char*>(shared) + 1);  // the copy comes after what this thread has seen
  const emu::Quiet quiet;
  emu::defer([=] {
    emu::acquire(static_cast<char*>(shared) + 1);
    {
      const emu::Loud loud;
      copy();
    }
    mbarrier_step(bar, 0, -static_cast<int>(bytes));
  });
}

inline void bulk_load(void* shared, const void* global, unsigned bytes, std::uint64_t* bar, EMU_SITE) {
  want_shared(shared, bytes, 16, "cp.async.bulk", EMU_HERE);
  mbarrier_check(bar, false, "cp.async.bulk", EMU_HERE);
  if (bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(global) % 16 != 0)
    emu::fail("cp.async.bulk: misaligned source or size", EMU_HERE);
  by_engine(shared, bar, bytes, [=] { std::memcpy(shared, global, bytes); });
}

inline void tensor_load(void* shared, const TensorMap& map, int x, int y, int z, std::uint64_t* bar,
                        EMU_SITE) {
  TensorLayout m;
  std::memcpy(&m, map.bytes, sizeof m);
  const unsigned bytes = m.box_x * m.box_y * 2;
  want_shared(shared, bytes, 128, "cp.async.bulk.tensor", EMU_HERE);
  mbarrier_check(bar, false, "cp.async.bulk.tensor", EMU_HERE);
  by_engine(shared, bar, bytes, [=] {
    auto* out = static_cast<std::uint16_t*>(shared);
    for (int r = 0; r < static_cast<int>(m.box_y); ++r)
      for (int c = 0; c < static_cast<int>(m.box_x); ++c) {
        const std::int64_t row = y + r, column = x + c;
        const bool inside =
            column >= 0 && column < m.size_x && row >= 0 && row < m.size_y && z >= 0 && z < m.size_z;
        std::uint16_t value = 0;
        if (inside) {
          const auto* from = static_cast<const char*>(m.base) + z * m.pitch_z + row * m.pitch_y + column * 2;
          std::memcpy(&value, from, 2);
        }
        *out++ = value;
      }
  });
}

}  // namespace lookalike::gpu
