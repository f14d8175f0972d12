#include "tests/emulation/fiber.h"

#include <sys/mman.h>

#include <new>

#if !defined(EMU_UCONTEXT)
// Saves the callee-saved registers on the old stack, its pointer in *from, and goes on at `to`: ucontext's
// swap takes fifteen times as long, for a system call.
asm(R"(
.text
.globl lookalike_emu_switch
.type lookalike_emu_switch,@function
lookalike_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size lookalike_emu_switch,.-lookalike_emu_switch
)");
#endif

namespace lookalike::emu {
namespace {

constexpr std::size_t kGuard = 4096;
constexpr std::size_t kStack =
#if defined(EMU_ASAN) || defined(EMU_TSAN)
    512 << 10;
#else
    128 << 10;
#endif

}  // namespace

Fiber* new_fiber() {
  void* p = mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  mprotect(p, kGuard, PROT_NONE);
  auto* fiber = new Fiber;
  fiber->stack = static_cast<char*>(p);
  fiber->bottom = fiber->stack + kGuard;
  fiber->size = kStack;
  return fiber;
}

void reset(Fiber& fiber, void (*entry)(), [[maybe_unused]] std::size_t stagger) {
#if defined(EMU_ASAN)
  __asan_unpoison_memory_region(fiber.stack + kGuard, kStack);
  fiber.fake = nullptr;
#endif
#if defined(EMU_UCONTEXT)
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack + kGuard;
  fiber.context.uc_stack.ss_size = kStack;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
#else
  void** sp = reinterpret_cast<void**>(fiber.stack + kGuard + kStack - stagger % 61 * 192);
  *--sp = nullptr;
  *--sp = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  fiber.sp = static_cast<void*>(sp);
#endif
}

void arrived([[maybe_unused]] Fiber& from) {
#if defined(EMU_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &from.bottom, &from.size);
#endif
}

}  // namespace lookalike::emu
