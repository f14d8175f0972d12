// Blocks one after another; in a block one warp as far as it gets, then the next.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "tests/emulation/state.h"

namespace lookalike::emu {

Machine& machine() {
  static auto* m = new Machine;  // never freed: the fibers stay for the next launch
  return *m;
}

namespace {
// EMU_SCHEDULE=reverse.early.starve, in one word: gtest_discover_tests loses a second variable.
bool scheduled(const char* word) {
  const char* text = std::getenv("EMU_SCHEDULE");
  return text != nullptr && std::strstr(text, word) != nullptr;
}
}  // namespace

Options& options() {
  static Options o = [] {
    Options r;
    if (scheduled("reverse")) r.order = Order::reverse;
    if (scheduled("random")) r.order = Order::random;
    if (scheduled("early")) r.async = Async::early;
    if (const char* seed = std::getenv("EMU_SEED")) r.seed = static_cast<unsigned>(std::atoi(seed));
    return r;
  }();
  return o;
}

namespace {

constexpr std::size_t kSharedLimit = 227 << 10;

std::string triple(unsigned x, unsigned y, unsigned z) {
  std::string text("(");
  return text.append(std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")");
}

void fiber_main() {
  Machine& m = machine();
  arrived(m.host);
  for (;;) {
    Thread& t = *m.current;
    acquire(&m.launch_token);
    acquire(&t.fiber->token);
    try {
      m.body(m.context);
      const Quiet quiet;
      if (!t.work.empty()) fail("thread ends with asynchronous work it never waited for", t.at);
    } catch (...) {
      const Quiet quiet;
      if (!m.error) m.error = std::current_exception();
    }
    release(&m.end_token);
    release(&t.fiber->token);
    {
      const Quiet quiet;
      thread_ended(t);
    }
    switch_fiber(*t.fiber, m.host, true);
  }
}

// EMU_SCHEDULE=...starve: a warp runs only while no earlier one (in the schedule's order) can, so that
// producers get as far ahead of consumers as barriers let them.
bool starves() {
  static const bool set = scheduled("starve");
  return set;
}

// EMU_SCHEDULE=...hasty: when a lane arrives at an mbarrier, the other warps go on before the lanes beside
// it, which shows arrivals that do not wait for what those lanes still have to do.
bool hasty() {
  static const bool set = scheduled("hasty");
  return set;
}

Fiber* take_fiber() {
  Machine& m = machine();
  if (m.pool.empty()) {
    Fiber* fiber = new_fiber();
    m.all.push_back(fiber);
    reset(*fiber, fiber_main, m.all.size());
    return fiber;
  }
  Fiber* fiber = m.pool.back();
  m.pool.pop_back();
  return fiber;
}

void resume(Thread& t) {
  Machine& m = machine();
  m.current = &t;
  threadIdx = t.index;
  if (t.state == State::unborn) {
    t.fiber = take_fiber();
#if defined(EMU_TSAN)
    // A new context (and so an empty call stack) for each thread and block: contexts kept from block to
    // block lose races in LLVM 14, which has 255 slots for live ones.
    t.fiber->tsan = __tsan_create_fiber(0);
    reset(*t.fiber, fiber_main, t.id);
#endif
  }
  t.state = State::ready;
  switch_fiber(m.host, *t.fiber, false);
  if (t.state == State::done) {
#if !defined(EMU_TSAN)  // there a fiber is one thread's for the whole block
    m.pool.push_back(t.fiber);
#endif
    t.fiber = nullptr;
  }
}

[[noreturn]] void deadlock() {
  std::map<std::string, std::vector<unsigned>> groups;
  for (const Thread& t : machine().threads) {
    std::string what("ended");
    if (t.state != State::done) {
      char mask[32] = "";
      if (t.mask != 0) std::snprintf(mask, sizeof mask, " mask %08x", t.mask);
      what.assign("wait at ").append(t.op ? t.op : "?").append(mask).append(" (" + where(t.at) + ")");
    }
    groups[what].push_back(t.id);
  }
  std::string text("deadlock in block ");
  text.append(triple(blockIdx.x, blockIdx.y, blockIdx.z)).append(":");
  for (const auto& [what, ids] : groups) {
    text.append("\n  threads");
    for (std::size_t i = 0, j; i < ids.size(); i = j) {
      for (j = i + 1; j < ids.size() && ids[j] == ids[j - 1] + 1;) ++j;
      text.append(" ").append(std::to_string(ids[i]));
      if (j - i > 1) text.append("-").append(std::to_string(ids[j - 1]));
    }
    text.append(" ").append(what);
  }
  throw Error(text);
}

// After an error: the half-run threads are forgotten.
void abandon() {
  Machine& m = machine();
#if defined(EMU_TSAN)
  for (Thread& t : m.threads)
    if (t.fiber) {  // what it did so far happened before what the host does next
      __tsan_switch_to_fiber(t.fiber->tsan, __tsan_switch_to_fiber_no_sync);
      __tsan_release(&m.end_token);
      __tsan_switch_to_fiber(m.host.tsan, __tsan_switch_to_fiber_no_sync);
    }
  acquire(&m.end_token);
  m.all.clear();  // half-way through a Quiet a context cannot be destroyed: leave all behind
  m.pool.clear();
#else
  for (Thread& t : m.threads)
    if (t.fiber) {
      reset(*t.fiber, fiber_main, t.id);
      m.pool.push_back(t.fiber);
      t.fiber = nullptr;
    }
#endif
  m.deferred.clear();
  free_shared();
  m.running = false;
}

void prepare_block(dim3 block, std::size_t shared_bytes) {
  Machine& m = machine();
  const unsigned n = block.x * block.y * block.z;
  ++m.serial;
  m.threads.assign(n, Thread{});
  m.block = std::make_unique<Block>();
  const unsigned warps = (n + 31) / 32;
#if defined(EMU_TSAN)
  m.warps.clear();
#endif
  while (m.warps.size() < warps) m.warps.push_back(std::make_unique<Warp>());
  for (unsigned i = 0; i < n; ++i) {
    Thread& t = m.threads[i];
    t.id = i;
    t.lane = i % 32;
    t.index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  }
  for (unsigned w = 0; w < warps; ++w) {
    Warp& warp = *m.warps[w];
    warp.gone = n - w * 32 >= 32 ? 0 : ~0U << (n - w * 32);
    warp.waiting = 0;
    for (Meeting& g : warp.meetings) g.arrived = 0;
  }
  m.live = n;
  m.dynamic_bytes = shared_bytes;
  if (shared_bytes != 0) shared_get(m.dynamic, shared_bytes, 1024, true);
#if defined(EMU_TSAN)
  // Two sets of stacks take turns: the order that a stack brings from its last user to its next links a
  // block to the one before the previous, so that races between neighbours still show.
  m.proxy = __tsan_create_fiber(0);
  while (m.all.size() < 2 * n) take_fiber();
  m.pool.assign(m.all.begin(), m.all.end());
  std::rotate(m.pool.begin(), m.pool.begin() + (m.serial % 2 ? n : 0), m.pool.end());
#endif
}

void run_block(dim3 block, std::size_t shared_bytes) {
  Machine& m = machine();
  prepare_block(block, shared_bytes);
  const auto n = static_cast<unsigned>(m.threads.size());
  const bool random = options().order == Order::random;
  std::vector<unsigned> order(n);
  for (unsigned i = 0; i < n; ++i) order[i] = options().order == Order::reverse ? n - 1 - i : i;
  const unsigned stride = random ? n : 32;
  while (m.live != 0) {
    const std::uint64_t before = m.events;
    if (random) std::shuffle(order.begin(), order.end(), m.random);
    for (unsigned w = 0; w < n; w += stride) {
      const std::uint64_t begun = m.events;
      std::uint64_t seen = 0;
      m.gave_way = false;
      do {
        seen = m.events;
        for (unsigned i = w; i < std::min(n, w + stride) && !m.gave_way; ++i) {
          Thread& t = m.threads[order[i]];
          if (t.state <= State::ready) resume(t);
          if (m.error) std::rethrow_exception(m.error);
        }
      } while (!random && !m.gave_way && m.events != seen);
      if (m.events != begun && starves() && !random && w != 0) w = 0 - stride;  // the next is the first
    }
    const bool stuck = m.events == before;
    if (!m.deferred.empty() && (stuck || (random && m.random() % 4 == 0))) {
      const auto work = std::move(m.deferred.front());
      m.deferred.erase(m.deferred.begin());
      work();
      ++m.events;
    } else if (stuck) {
      deadlock();
    }
  }
#if defined(EMU_TSAN)
  __tsan_destroy_fiber(m.proxy);
  for (Fiber* fiber : m.all)
    if (fiber->tsan) {
      __tsan_destroy_fiber(fiber->tsan);
      fiber->tsan = nullptr;
    }
#endif
  if (!m.deferred.empty()) throw Error("block ends with an asynchronous copy in flight");
  free_shared();
}

}  // namespace

std::string where(Site site) {
  const char* slash = site.file != nullptr ? std::strrchr(site.file, '/') : nullptr;
  std::string text(slash != nullptr ? slash + 1 : site.file != nullptr ? site.file : "?");
  return text.append(":").append(std::to_string(site.line));
}

void fail(const std::string& what, Site at) {
  std::string text(what);
  text.append(" at ").append(where(at)).append(", block ").append(triple(blockIdx.x, blockIdx.y, blockIdx.z));
  throw Error(text.append(" thread ").append(triple(threadIdx.x, threadIdx.y, threadIdx.z)));
}

void block_on(Thread& t, const void* what, const char* op, std::uint32_t mask, Site at) {
  t.wait = what;
  t.op = op;
  t.mask = mask;
  t.at = at;
  t.state = State::blocked;
  switch_fiber(*t.fiber, machine().host, true);
}

void wake(const void* what) {
  for (Thread& t : machine().threads)
    if (t.state == State::blocked && t.wait == what) {
      t.state = State::ready;
      t.wait = nullptr;
    }
}

void poll(const char* op, Site at) {
  const Quiet quiet;
  Thread& t = *machine().current;
  t.op = op;
  t.at = at;
  t.mask = 0;
  switch_fiber(*t.fiber, machine().host, true);
}

void progress() {
  const Quiet quiet;
  ++machine().events;
}

void give_way() { machine().gave_way = hasty(); }

void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(void*), void* context) {
  Machine& m = machine();
  const std::size_t n = std::size_t{block.x} * block.y * block.z;
  const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
  if (n == 0 || n > 1024 || block.z > 64 || blocks == 0 || grid.x > 0x7fffffffU || grid.y > 65535 ||
      grid.z > 65535) {
    throw Error("launch: bad grid " + triple(grid.x, grid.y, grid.z) + " or block " +
                triple(block.x, block.y, block.z));
  }
  if (shared_bytes > kSharedLimit) throw Error("launch: too much dynamic shared memory");
  if (m.running) throw Error("launch from a kernel");
  release(&m.launch_token);
  const Quiet quiet;
  m.running = true;
  m.body = body;
  m.context = context;
  m.error = nullptr;
  m.random.seed(options().seed);
#if defined(EMU_TSAN)
  m.host.tsan = __tsan_get_current_fiber();
#endif
  blockDim = block;
  gridDim = grid;
  std::vector<unsigned> order(blocks);
  for (std::size_t i = 0; i < blocks; ++i)
    order[i] = static_cast<unsigned>(options().order == Order::reverse ? blocks - 1 - i : i);
  if (options().order == Order::random) std::shuffle(order.begin(), order.end(), m.random);
  try {
    for (const unsigned b : order) {
      blockIdx = {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)};
      run_block(block, shared_bytes);
    }
  } catch (...) {
    abandon();
    throw;
  }
  m.running = false;
  acquire(&m.end_token);
}

}  // namespace lookalike::emu
