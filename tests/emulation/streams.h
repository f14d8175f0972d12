// Streams of the emulator: what is queued on one runs when it must. The default stream runs everything at
// once.
//
//   late   when the host or another stream waits for it
//   early  copies from pinned memory as soon as what they wait for allows; the rest as with late
//
// Late work shows results that are read, and buffers that are filled again, without a wait for them; early
// copies show places that are overwritten while work still needs them.
#pragma once

#include <cstddef>
#include <functional>

#include "kernels/cuda/runtime.h"

namespace lookalike::emu {

void enqueue(gpu::Stream stream, std::function<void()> work);

// Allocations that succeed from now on, of any kind, before one fails once; -1: all do. Returns how many were
// left to succeed; -1: none was to fail any more.
int fail_allocation_after(int count);

}  // namespace lookalike::emu
