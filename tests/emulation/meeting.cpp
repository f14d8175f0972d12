// Block barriers and warp collectives.
#include <algorithm>
#include <cstdio>

#include "tests/emulation/state.h"

namespace lookalike::emu {
namespace {

void complete(Barrier& b) {
  b.last = b.now;
  b.now = {};
  b.arrived = 0;
  ++b.generation;
  wake(&b);
}

void complete(Warp& w, Meeting& g, Thread* base) {
  g.finish(w.in, w.out, g.arrived);
  for (std::uint32_t left = g.arrived; left != 0; left &= left - 1) {
    Thread& t = base[__builtin_ctz(left)];
    if (t.wait == &g) {
      t.state = State::ready;
      t.wait = nullptr;
    }
  }
  w.waiting &= ~g.arrived;
  g.arrived = 0;
  ++g.generation;
}

Meeting& meeting_of(Warp& w, std::uint32_t mask) {
  const auto open = [mask](const Meeting& g) { return g.arrived != 0 && g.mask == mask; };
  const auto* found = std::find_if(std::begin(w.meetings), std::end(w.meetings), open);
  if (found == std::end(w.meetings))
    found = std::find_if(std::begin(w.meetings), std::end(w.meetings),
                         [](const Meeting& g) { return g.arrived == 0; });
  return *const_cast<Meeting*>(found);  // 32 lanes are in 32 meetings at most
}

// A lane that comes to `op` cannot do so while another waits for it elsewhere. (One that waits for others
// alone may still come.)
void check_convergent(const Warp& w, const Meeting& g, std::uint32_t mask, const char* op, Site at) {
  const Thread& self = *machine().current;
  const Thread* base = &self - self.lane;
  const bool joins = g.arrived == 0 || (std::strcmp(g.op, op) == 0 && g.at.line == at.line);
  for (std::uint32_t left = w.waiting & mask; left != 0; left &= left - 1) {
    const Thread& other = base[__builtin_ctz(left)];
    if ((other.mask >> self.lane & 1) == 0 || (joins && other.wait == &g)) continue;
    char text[96];
    std::snprintf(text, sizeof text, " with mask %08x, but lane %u waits with mask %08x at ", mask,
                  other.lane, other.mask);
    std::string what("divergent warp: ");
    fail(what.append(op).append(text).append(other.op).append(" (" + where(other.at) + ")"), at);
  }
}

}  // namespace

void thread_ended(Thread& t) {
  Machine& m = machine();
  t.state = State::done;
  ++m.events;
  --m.live;
  Warp& w = *m.warps[t.id / 32];
  w.gone |= 1U << t.lane;
  if (w.waiting != 0)
    for (Meeting& g : w.meetings)
      if (g.arrived != 0 && g.arrived == (g.mask & ~w.gone) && g.kind != Kind::aligned)
        complete(w, g, &m.threads[t.id - t.lane]);
  for (Barrier& b : m.block->barriers)
    if (b.arrived != 0 && b.count == 0 && b.arrived == m.live) complete(b);
}

Tally barrier(int id, unsigned count, bool wait, int predicate, const char* op, Site at) {
  const Quiet quiet;
  Machine& m = machine();
  if (id < 0 || id > 15 || count % 32 != 0) fail(std::string(op) + ": bad barrier number or count", at);
  Barrier& b = m.block->barriers[id];
  Thread& t = *m.current;
  if (b.arrived == 0) {
    b.at = at;
    b.op = op;
    b.count = count;
    b.now = {0, 1, 0};
  } else if (b.count != count || (count == 0 && (b.at.line != at.line || std::strcmp(b.op, op) != 0))) {
    std::string what("divergent barrier: some threads wait at ");
    fail(what.append(b.op).append(" (" + where(b.at) + "), this one comes to ").append(op), at);
  }
  ++b.arrived;
  ++m.events;
  const int yes = predicate != 0 ? 1 : 0;
  b.now = {b.now.count + yes, b.now.all & yes, b.now.any | yes};
  char* token = &b.token[b.generation & 1];
  release(token);
  if (b.arrived == (count != 0 ? count : m.live)) {
    complete(b);
  } else if (wait) {
    block_on(t, &b, op, 0, at);
  }
  if (wait) acquire(token);
  return b.last;
}

void* collective(std::uint32_t mask, const char* op, Kind kind, const void* in, std::size_t bytes,
                 Finish finish, Site at) {
  const Quiet quiet;
  Machine& m = machine();
  Thread& t = *m.current;
  Warp& w = *m.warps[t.id / 32];
  if ((mask >> t.lane & 1) == 0)
    fail(std::string(op) + ": lane " + std::to_string(t.lane) + " is not in its own mask", at);
  if (kind == Kind::aligned && w.gone != 0)
    fail(std::string(op) + " in a warp with missing or ended lanes", at);
  Meeting& g = meeting_of(w, mask);
  check_convergent(w, g, mask, op, at);
  if (g.arrived == 0) {
    g.mask = mask;
    g.op = op;
    g.kind = kind;
    g.finish = finish;
    g.at = at;
  }
  if (bytes != 0) std::memcpy(w.in[t.lane], in, bytes);
  g.arrived |= 1U << t.lane;
  w.waiting |= 1U << t.lane;
  ++m.events;
  char* token = &g.token[g.generation & 1];
  if (kind == Kind::fence) release(token);
  if (g.arrived == (mask & ~w.gone)) {
    complete(w, g, &m.threads[t.id - t.lane]);
  } else {
    block_on(t, &g, op, mask, at);
  }
  if (kind == Kind::fence) acquire(token);
  return w.out[t.lane];
}

std::uint32_t lane() {
  const Quiet quiet;
  return machine().current->lane;
}

}  // namespace lookalike::emu
