// Shared memory, asynchronous copies and fences.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "tests/emulation/state.h"

namespace lookalike::emu {
namespace {

constexpr std::size_t kStaticLimit = 48 << 10;
constexpr std::size_t kSharedLimit = 227 << 10;

}  // namespace

void* shared_get(SharedVariable& variable, std::size_t bytes, std::size_t align, bool dynamic) {
  const Quiet quiet;
  Machine& m = machine();
  if (variable.block != m.serial) {
    m.shared_bytes += bytes;
    if (!dynamic && m.shared_bytes - m.dynamic_bytes > kStaticLimit)
      throw Error("more than 48 KB of static shared memory");
    if (m.shared_bytes > kSharedLimit) throw Error("more than 227 KB of shared memory");
    void* p = nullptr;
    if (posix_memalign(&p, align, bytes) != 0) throw std::bad_alloc();
    std::memset(p, 0xff, bytes);
    m.shared.push_back({static_cast<unsigned char*>(p), bytes});
    variable = {p, m.serial};
  }
  return variable.pointer;
}

unsigned char* dynamic_shared() {
  const Quiet quiet;
  Machine& m = machine();
  if (m.dynamic.block != m.serial) throw Error("kernel uses dynamic shared memory, launch gave none");
  return static_cast<unsigned char*>(m.dynamic.pointer);
}

bool in_shared(const void* p, std::size_t bytes) {
  const Quiet quiet;
  const auto* q = static_cast<const unsigned char*>(p);
  return std::any_of(machine().shared.begin(), machine().shared.end(),
                     [&](const Allocation& a) { return q >= a.p && q + bytes <= a.p + a.bytes; });
}

void free_shared() {
  Machine& m = machine();
  for (const Allocation& a : m.shared) std::free(a.p);
  m.shared.clear();
  m.shared_bytes = 0;
}

void async(std::function<void()> work, Site at) {
  const bool early = options().async == Async::early;
  if (early) work();
  const Quiet quiet;
  Thread& t = *machine().current;
  t.at = at;
  t.work.push_back(early ? [] {} : std::move(work));
}

void async_commit() {
  const Quiet quiet;
  Thread& t = *machine().current;
  std::size_t before = 0;
  for (const std::size_t size : t.groups) before += size;
  t.groups.push_back(t.work.size() - before);
}

void async_wait(unsigned keep) {
  const Quiet quiet;
  Thread& t = *machine().current;
  while (t.groups.size() > keep) {
    const std::size_t size = t.groups.front();
    for (std::size_t i = 0; i < size; ++i) {
      const Loud loud;
      t.work[i]();
    }
    t.work.erase(t.work.begin(), t.work.begin() + static_cast<std::ptrdiff_t>(size));
    t.groups.erase(t.groups.begin());
  }
}

void defer(std::function<void()> work) {
  if (options().async == Async::early) {
    work();
  } else {
    machine().deferred.push_back(std::move(work));
  }
}

void thread_fence() {
#if defined(EMU_TSAN)
  const Quiet quiet;
  Thread& t = *machine().current;
  for (void* p : t.atomics) acquire(p);
  t.atomics.clear();
  t.released = true;
#endif
}

#if defined(EMU_TSAN)
Atomic::Atomic(void* p) {
  const Quiet quiet;
  Thread& t = *machine().current;
  if (t.released) release(p);
  if (std::find(t.atomics.begin(), t.atomics.end(), p) == t.atomics.end()) t.atomics.push_back(p);
}
#endif

void proxy_fence() { release(&machine().block->proxy_token); }

#if defined(EMU_TSAN)
namespace {
void by_proxy(void* p, std::size_t bytes, void (*access)(void*, unsigned long)) {
  Machine& m = machine();
  char *token = &m.block->proxy_token, *done = &m.block->proxy_done;
  void* me = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(m.proxy, __tsan_switch_to_fiber_no_sync);
  __tsan_acquire(token);
  access(p, bytes);
  __tsan_release(done);
  __tsan_switch_to_fiber(me, __tsan_switch_to_fiber_no_sync);
  __tsan_acquire(done);
}
}  // namespace
void proxy_read(const void* p, std::size_t bytes) {
  by_proxy(const_cast<void*>(p), bytes, __tsan_read_range);
}
#else
void proxy_read(const void*, std::size_t) {}
#endif

}  // namespace lookalike::emu
