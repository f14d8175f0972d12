// The emulator's own state, shared by its files and by no kernel.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/emulation/fiber.h"
#include "tests/emulation/machine.h"

namespace lookalike::emu {

enum class State { unborn, ready, blocked, done };

struct Thread {
  Fiber* fiber = nullptr;
  State state = State::unborn;
  uint3 index{};
  unsigned id = 0, lane = 0;
  // What it waits for.
  const char* op = nullptr;
  Site at{};
  std::uint32_t mask = 0;
  const void* wait = nullptr;
  // Its asynchronous work, and the sizes of the committed groups, oldest first.
  std::vector<std::function<void()>> work;
  std::vector<std::size_t> groups;
  // Fences.
  bool released = false;
  std::vector<void*> atomics;  // touched since the last fence
};

// One of a warp's rendezvous; free while nobody has arrived.
struct Meeting {
  std::uint32_t mask = 0, arrived = 0;
  unsigned generation = 0;
  const char* op = nullptr;
  Kind kind = Kind::plain;
  Finish finish = nullptr;
  Site at{};
  char token[2];
};

struct Warp {
  std::uint32_t gone = 0, waiting = 0;
  Meeting meetings[32];
  alignas(16) unsigned char in[32][kSlot];
  alignas(16) unsigned char out[32][kSlot];
};

struct Barrier {
  unsigned arrived = 0, count = 0, generation = 0;
  const char* op = nullptr;
  Site at{};
  Tally now{}, last{};
  char token[2];
};

// What must be new for each block, or its synchronisation would order this block after the last.
struct Block {
  Barrier barriers[16];
  char proxy_token, proxy_done;
};

struct Allocation {
  unsigned char* p;
  std::size_t bytes;
};

struct Machine {
  std::vector<Thread> threads;  // of the running block
  std::vector<std::unique_ptr<Warp>> warps;
  std::unique_ptr<Block> block;
  std::vector<Fiber*> pool, all;
  Thread* current = nullptr;
  Fiber host;
  void (*body)(void*) = nullptr;
  void* context = nullptr;
  std::exception_ptr error;
  std::uint64_t events = 0;  // progress of any kind
  std::uint64_t serial = 0;  // blocks run
  unsigned live = 0;
  bool running = false;
  bool gave_way = false;  // the running warp
  std::vector<Allocation> shared;
  SharedVariable dynamic;
  std::size_t dynamic_bytes = 0, shared_bytes = 0;
  std::vector<std::function<void()>> deferred;
  char launch_token, end_token;
  void* proxy = nullptr;  // ThreadSanitizer's context of the async proxy
  std::mt19937 random;
};
Machine& machine();

std::string where(Site site);  // "knn.cu:42"
void block_on(Thread& thread, const void* what, const char* op, std::uint32_t mask, Site at);
void wake(const void* what);
void thread_ended(Thread& thread);  // completes what waited only for it
void free_shared();

}  // namespace lookalike::emu
