#include "host/standard_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "engine/error.h"
#include "host/interrupt.h"

namespace lookalike {

void print_output(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (std::fflush(stdout) == 0 && written) return;
  const int reason = errno;
  if (reason == EPIPE) throw Interrupted(SIGPIPE);
  throw system_error(fmt::format("standard output could not be written: {}, make room or send it elsewhere",
                                 std::strerror(reason)));
}

void keep_standard_descriptors() {
  int descriptor = 0;
  while ((descriptor = ::open("/dev/null", O_RDONLY)) >= 0 && descriptor <= STDERR_FILENO) {
  }
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace lookalike
