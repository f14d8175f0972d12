#include "host/text_lines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/error.h"
#include "host/csv.h"

namespace lookalike {

namespace {
constexpr std::size_t kPieceBytes = std::size_t{1} << 18;
}  // namespace

TextLines::TextLines(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

bool TextLines::read_piece() {
  piece_.resize(kPieceBytes);
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, piece_.data(), piece_.size());
  } while (got < 0 && errno == EINTR);
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
