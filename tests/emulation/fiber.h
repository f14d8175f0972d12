// Stacks of their own for the emulated threads.
#pragma once

#include <cstddef>

#include "tests/emulation/sanitizers.h"

#if !defined(__x86_64__)
#define EMU_UCONTEXT 1
#include <ucontext.h>
#endif

namespace lookalike::emu {

struct Fiber {
  char* stack = nullptr;  // a guard page, then the stack; null: the host's own
  void* sp = nullptr;
  void* fake = nullptr;  // AddressSanitizer's
  void* tsan = nullptr;  // ThreadSanitizer's context
  const void* bottom = nullptr;
  std::size_t size = 0;
  char token = 0;
#if defined(EMU_UCONTEXT)
  ucontext_t context;
#endif
};

Fiber* new_fiber();  // never freed: it stays for the next launch

// Makes the fiber start at entry() when it is next switched to. Staggered stack tops keep the fibers' hot
// lines out of the same cache sets.
void reset(Fiber& fiber, void (*entry)(), std::size_t stagger);

// To be the first statement of a fiber's entry: `from` is who switched to it.
void arrived(Fiber& from);

// The ThreadSanitizer call and the switch must sit in the same function as the code that goes on, since it
// keeps a call stack for each fiber: hence always_inline.
extern "C" void lookalike_emu_switch(void** from, void* to);
[[gnu::always_inline]] inline void switch_fiber(Fiber& from, Fiber& to, [[maybe_unused]] bool to_host) {
#if defined(EMU_ASAN)
  __sanitizer_start_switch_fiber(&from.fake, to.bottom, to.size);
#endif
#if defined(EMU_TSAN)
  __tsan_switch_to_fiber(to.tsan, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(EMU_UCONTEXT)
  swapcontext(&from.context, &to.context);
#else
  lookalike_emu_switch(&from.sp, to.sp);
#endif
#if defined(EMU_ASAN)
  if (to_host) {
    __sanitizer_finish_switch_fiber(from.fake, &to.bottom, &to.size);
  } else {
    __sanitizer_finish_switch_fiber(from.fake, nullptr, nullptr);
  }
#endif
}

}  // namespace lookalike::emu
