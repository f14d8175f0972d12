#include "host/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <initializer_list>
#include <string_view>

namespace lookalike {
namespace {

// The one thing a signal handler can reach.
std::atomic<int> requested{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void on_stop_signal(int signal) {
  int none = 0;
  if (!requested.compare_exchange_strong(none, signal)) _exit(128 + signal);
  constexpr std::string_view kText =
      "\nlookalike: stopping after this step; the same signal again stops at once\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText.data(), kText.size());
}

}  // namespace

void watch_signals() {
  struct sigaction stop = {}, current = {};
  stop.sa_handler = on_stop_signal;
  stop.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) {
    // Whoever started us with the signal ignored (nohup, a shell's background job) meant it.
    if (sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_IGN) continue;
    sigaction(signal, &stop, nullptr);
  }
}

void let_writes_fail() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, nullptr);
  sigaction(SIGPIPE, &ignore, nullptr);
}

int stop_signal() { return requested.load(); }

}  // namespace lookalike
