#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "host/files.h"
#include "host/photo_decode.h"

namespace lookalike {
namespace {

[[noreturn]] void throw_open_failure(int reason) {
  // Not this photo's fault: going on would refuse every photo that follows.
  if (reason == EMFILE || reason == ENFILE || reason == ENOMEM) {
    throw system_error(
        fmt::format("cannot open another file: {}; raise the limit (ulimit -n) or use fewer threads",
                    std::strerror(reason)));
  }
  if (reason == ENOENT) throw RefusedPhoto("no such file");
  if (reason == ENXIO) throw RefusedPhoto("not a regular file");  // a socket
  throw RefusedPhoto(fmt::format("cannot be opened: {}", std::strerror(reason)));
}

int64_t read_some(int descriptor, uint8_t* into, int64_t bytes) {
  for (;;) {
    const ssize_t got = ::read(descriptor, into, static_cast<size_t>(bytes));
    if (got >= 0) return got;
    if (errno != EINTR) throw RefusedPhoto(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
}

}  // namespace

std::vector<uint8_t> read_photo_file(const std::string& path, const PhotoLimits& limits) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) throw_open_failure(errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) {
    throw RefusedPhoto(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  if (!S_ISREG(facts.st_mode)) throw RefusedPhoto("not a regular file");
  check_file_size(facts.st_size, limits);

  std::vector<uint8_t> bytes(static_cast<size_t>(facts.st_size));
  int64_t done = 0;
  while (done < facts.st_size) {
    const int64_t got = read_some(file.get(), bytes.data() + done, facts.st_size - done);
    if (got == 0) break;
    done += got;
  }
  uint8_t beyond = 0;
  if (done < facts.st_size || read_some(file.get(), &beyond, 1) != 0) {
    throw RefusedPhoto("changed while it was read");
  }
  return bytes;
}

}  // namespace lookalike
