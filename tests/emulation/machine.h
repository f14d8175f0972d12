// The emulator, as the CUDA vocabulary uses it: enough of a GPU to run a kernel on the host. One fiber for
// each CUDA thread, one block at a time, one OS thread. A fiber runs until it meets a barrier, a warp
// collective or its end, so each thread gets as far ahead of the others as the kernel's own synchronisation
// lets it: code that relies on lockstep breaks.
//
// A kernel that breaks a rule of CUDA throws Error out of the launch: divergent barriers and collectives,
// deadlocks (who waits where), misaligned or foreign shared addresses, asynchronous work nobody waited for.
// Shared memory starts as 0xff, which is NaN in every float format. Not seen: bank conflicts, occupancy,
// registers, time, and weak memory beyond what ThreadSanitizer reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "tests/emulation/sanitizers.h"

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim{}, gridDim{};
constexpr int warpSize = 32;

namespace lookalike::emu {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// How the scheduler picks among runnable threads and blocks, and when asynchronous copies land: `late` inside
// the wait, which shows missing waits; `early` at once, which shows buffers overwritten while in use.
enum class Order { forward, reverse, random };
enum class Async { late, early };
struct Options {
  Order order = Order::forward;
  Async async = Async::late;
  unsigned seed = 1;  // of random
};
Options& options();  // first read from EMU_SCHEDULE, forward|reverse|random . late|early [.starve|.hasty],
                     // and EMU_SEED

// A place in a kernel. Each emulated operation takes its caller's as default arguments.
struct Site {
  const char* file;
  int line;
};
#define EMU_SITE const char *emu_file = __builtin_FILE(), int emu_line = __builtin_LINE()
#define EMU_HERE \
  ::lookalike::emu::Site { emu_file, emu_line }

[[noreturn]] void fail(const std::string& what, Site at);

// Runs body(context) once for each thread of the grid.
void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(void*), void* context);

// Block barrier `id`, 0 .. 15. count 0: every live thread of the block; else that many arrivals.
struct Tally {
  int count, all, any;
};
Tally barrier(int id, unsigned count, bool wait, int predicate, const char* op, Site at);

// A rendezvous of the lanes in mask; the last to arrive runs finish(in, out, lanes that came), which may
// write only the slots of those lanes.
constexpr std::size_t kSlot = 64;
using Slots = unsigned char (*)[kSlot];
using Finish = void (*)(Slots in, Slots out, std::uint32_t mask);
enum class Kind { plain, fence, aligned };  // aligned: all 32 lanes, none of them ended
void* collective(std::uint32_t mask, const char* op, Kind kind, const void* in, std::size_t bytes,
                 Finish finish, Site at);
std::uint32_t lane();

void poll(const char* op, Site at);      // blocked on what the scheduler cannot see: try again later
void progress();                         // what a poller waits for may have changed
void give_way();                         // a lane has told other warps something: see `hasty`
void defer(std::function<void()> work);  // an asynchronous engine's: done some time before the block ends

// A kernel's shared variable. A heap block of its own, so that sanitizers know its bounds.
struct SharedVariable {
  void* pointer = nullptr;
  std::uint64_t block = 0;
};
void* shared_get(SharedVariable& variable, std::size_t bytes, std::size_t align, bool dynamic = false);
template <class T>
T& shared(SharedVariable& variable) {
  return *static_cast<T*>(shared_get(variable, sizeof(T), alignof(T) < 16 ? 16 : alignof(T)));
}
unsigned char* dynamic_shared();
bool in_shared(const void* p, std::size_t bytes);

// A thread's own asynchronous work (cp.async), in committed groups.
void async(std::function<void()> work, Site at);
void async_commit();
void async_wait(unsigned keep);

// Fences as C++ has them: what a thread wrote before a fence and an atomic operation after it, another sees
// that does an operation on the same atomic and then a fence. Atomic is around each operation.
void thread_fence();
struct Atomic {
#if defined(EMU_TSAN)
  explicit Atomic(void* p);
#else
  explicit Atomic(void*) {}
#endif
};

// The async proxy (bulk copies) sees of a thread's writes what came before that thread's fence.proxy.async.
void proxy_fence();
void proxy_read(const void* p, std::size_t bytes);

template <class In, class Out>
struct Lanes {
  Slots in_slots, out_slots;
  std::uint32_t mask;
  const In& in(unsigned l) const { return *reinterpret_cast<const In*>(in_slots[l]); }
  Out& out(unsigned l) const { return *reinterpret_cast<Out*>(out_slots[l]); }
  bool has(unsigned l) const { return l < 32 && (mask >> l & 1) != 0; }
};
template <class In, class Out, class F>
Out collect(std::uint32_t mask, const char* op, Kind kind, const In& in, F, Site at) {
  static_assert(sizeof(In) <= kSlot && sizeof(Out) <= kSlot && std::is_trivially_copyable_v<In> &&
                std::is_empty_v<F>);
  const Quiet quiet;
  Out out;
  const auto finish = [](Slots i, Slots o, std::uint32_t m) { F{}(Lanes<In, Out>{i, o, m}); };
  std::memcpy(&out, collective(mask, op, kind, &in, sizeof(In), finish, at), sizeof(Out));
  return out;
}

}  // namespace lookalike::emu
