// SIGINT and SIGTERM: the first asks a run to save and stop, a second ends it at once.
#pragma once

#include <stdexcept>

namespace lookalike {

// Installs the handlers.
void watch_signals();

// SIGXFSZ and SIGPIPE are ignored, so that writes report errors instead.
void let_writes_fail();

// The signal that asked to stop, or 0.
int stop_signal();

// Thrown where a run stops after saving; main exits with 128 + signal.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int signal) : std::runtime_error("stopped by a signal"), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

}  // namespace lookalike
