#include "host/text_lines.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/error.h"
#include "host/csv.h"
#include "host/interrupt.h"

namespace lookalike {

namespace {
constexpr std::size_t kPieceBytes = std::size_t{1} << 18;

// Returns when there is something to read. A read that waits goes on after a signal; this looks at each.
void await_input(int descriptor) {
  constexpr int kLookMilliseconds = 100;
  pollfd input = {descriptor, POLLIN, 0};
  for (bool ready = false; !ready;) {
    ready = ::poll(&input, 1, kLookMilliseconds) > 0;
    if (stop_signal() != 0) throw Interrupted(stop_signal());
  }
}

}  // namespace

TextLines::TextLines(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

bool TextLines::read_piece() {
  piece_.resize(kPieceBytes);
  ssize_t got = 0;
  do {
    await_input(descriptor_);
    got = ::read(descriptor_, piece_.data(), piece_.size());
  } while (got < 0 && (errno == EINTR || errno == EAGAIN));
  if (got < 0) throw usage_error(fmt::format("cannot read {}: {}", name_, std::strerror(errno)));
  piece_.resize(static_cast<std::size_t>(got));
  at_ = 0;
  if (piece_.find('\0') != std::string::npos) {
    throw usage_error(fmt::format("{} is not text; give a folder, a list of paths or a .csv", name_));
  }
  return got > 0;
}

bool TextLines::next(std::string& line) {
  line.clear();
  while (at_ < piece_.size() || read_piece()) {
    const std::size_t end = piece_.find('\n', at_);
    const std::size_t stop = end == std::string::npos ? piece_.size() : end + 1;
    line.append(piece_, at_, stop - at_);
    at_ = stop;
    if (static_cast<int64_t>(line.size()) > kMaxLineBytes) {
      throw usage_error(fmt::format("{} has a line of more than {} bytes; give a list of paths or a .csv",
                                    name_, kMaxLineBytes));
    }
    if (end != std::string::npos) break;
  }
  if (std::exchange(first_, false)) line = drop_byte_order_mark(line);
  return !line.empty() || at_ < piece_.size();
}

}  // namespace lookalike
