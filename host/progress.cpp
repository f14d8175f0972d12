#include "host/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"

namespace lookalike {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kWindow{10};  // of the rate
constexpr Seconds kBarInterval{0.1};
constexpr Seconds kJsonInterval{1};
constexpr Seconds kPlainInterval{10};

ProgressStyle resolved(ProgressStyle style) {
  if (style != ProgressStyle::kAuto) return style;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::strcmp(terminal, "dumb") == 0;
  return isatty(STDERR_FILENO) != 0 && !dumb ? ProgressStyle::kBar : ProgressStyle::kPlain;
}

Seconds interval(ProgressStyle style) {
  return style == ProgressStyle::kBar    ? kBarInterval
         : style == ProgressStyle::kJson ? kJsonInterval
                                         : kPlainInterval;
}

std::size_t terminal_columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// One write a line, so that lines of several processes do not mix.
void print_line(std::string text) {
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string json_text(const nlohmann::json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Bytes of the UTF-8 character that `text` begins with; 0 where there is none or it is a control character.
std::size_t utf8_character(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto within = [](unsigned value, unsigned low, unsigned high) {
    return value >= low && value <= high;
  };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return within(first, 0x20, 0x7e) ? 1 : 0;
  // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
  if (within(first, 0xc2, 0xdf)) return within(second, first == 0xc2 ? 0xa0 : 0x80, 0xbf) ? 2 : 0;
  const bool third_fits = within(byte(2), 0x80, 0xbf);
  if (within(first, 0xe0, 0xef)) {
    return within(second, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && third_fits ? 3 : 0;
  }
  if (!within(first, 0xf0, 0xf4)) return 0;
  const bool second_fits = within(second, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
  return second_fits && third_fits && within(byte(3), 0x80, 0xbf) ? 4 : 0;
}

}  // namespace

ProgressStyle parse_progress_style(const std::string& text) {
  if (text == "auto") return ProgressStyle::kAuto;
  if (text == "bar") return ProgressStyle::kBar;
  if (text == "plain") return ProgressStyle::kPlain;
  if (text == "json") return ProgressStyle::kJson;
  if (text == "none") return ProgressStyle::kNone;
  throw usage_error("--progress is '" + text + "', take auto, bar, plain, json or none");
}

Progress::Progress(const Talk& talk, std::string task, int64_t total, std::function<Clock::time_point()> now)
    : style_(resolved(talk.progress)),
      quiet_(talk.quiet),
      task_(std::move(task)),
      total_(total),
      now_(std::move(now)),
      start_(now_()),
      last_print_(start_) {
  samples_.push_back({start_, 0});
}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', stderr);
}

void Progress::set_unit(std::string unit) { unit_ = std::move(unit); }

void Progress::set_resumed(int64_t images) {
  resumed_ = images;
  samples_.assign(1, {now_(), images});
}

double Progress::seconds() const { return Seconds(now_() - start_).count(); }

double Progress::rate() const {
  const double elapsed = Seconds(samples_.back().time - samples_.front().time).count();
  const int64_t images = samples_.back().done - samples_.front().done;
  return elapsed > 0 ? static_cast<double>(images) / elapsed : 0;
}

void Progress::update(int64_t done, const std::string& note) {
  const auto now = now_();
  samples_.push_back({now, done});
  // The oldest sample kept is the last one outside the window, so that the window is always covered.
  while (samples_.size() > 2 && now - samples_[1].time >= kWindow) samples_.pop_front();
  const bool ends = done >= total_ && total_ > 0;  // said at once, and once
  const bool due = ends ? printed_ != done : now - last_print_ >= interval(style_);
  if (quiet_ || style_ == ProgressStyle::kNone || !due) return;
  last_print_ = now;
  printed_ = done;
  print(done, note);
}

void Progress::print(int64_t done, const std::string& note) {
  const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 0;
  const double per_second = rate();
  const double left = per_second > 0 ? static_cast<double>(total_ - done) / per_second : NAN;
  if (style_ == ProgressStyle::kJson) {
    const std::string speed = (unit_ == "img" ? "images" : unit_) + "_per_second";
    nlohmann::json line = {{"task", task_}, {"done", done}, {"total", total_}, {speed, per_second}};
    if (std::isfinite(left)) line["seconds_left"] = left;
    if (resumed_ > 0) line["resumed"] = resumed_;
    if (!note.empty()) line["note"] = printable(note);
    print_line(json_text(line));
    return;
  }
  std::string text = fmt::format("{}/{} {}  {} {}/s", format_count(done), format_count(total_), unit_,
                                 format_count(std::llround(per_second)), unit_);
  if (std::isfinite(left)) text += "  eta " + format_duration(left);
  if (!note.empty()) text += "  " + printable(note);
  if (style_ == ProgressStyle::kPlain) {
    print_line(fmt::format("{} {:5.1f}%  {}", task_, 100 * share, text));
    return;
  }
  // What is said counts for more than the bar.
  const std::string end = fmt::format("{:5.1f}%  {}", 100 * share, text);
  const int64_t room = static_cast<int64_t>(terminal_columns()) - 1 - std::ssize(task_) - std::ssize(end) - 4;
  const int64_t cells = std::clamp<int64_t>(room, 0, 24);
  const int64_t filled = std::clamp<int64_t>(std::llround(share * static_cast<double>(cells)), 0, cells);
  std::string line = task_ + ' ';
  if (cells >= 8) {
    line += '[' + std::string(static_cast<std::size_t>(filled), '=') +
            std::string(static_cast<std::size_t>(cells - filled), ' ') + "] ";
  }
  line += end;
  line.resize(std::min(line.size(), terminal_columns() - 1));
  std::fputs(fmt::format("\r{}\033[K", line).c_str(), stderr);
  std::fflush(stderr);
  line_open_ = true;
}

void Progress::message(const std::string& text) {
  if (quiet_) return;
  if (style_ == ProgressStyle::kJson) {
    print_line(json_text({{"task", task_}, {"message", printable(text)}}));
    return;
  }
  if (line_open_) std::fputs("\r\033[K", stderr);
  line_open_ = false;
  print_line(printable(text));
}

void say(const Talk& talk, const std::string& task, const std::string& text) {
  Progress(talk, task, 0).message(text);
}

void say_lines(const Talk& talk, const std::string& task, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) say(talk, task, line);
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = utf8_character(text);
    if (bytes > 0) {
      out += text.substr(0, bytes);
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out;
}

std::string format_duration(double seconds) {
  if (!(seconds < 1e9)) return "?";
  const int64_t whole = std::llround(std::max(seconds, 0.0));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

std::string format_count(int64_t count) {
  std::string digits = std::to_string(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string counted(int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", format_count(count), one, count == 1 ? "" : "s");
}

}  // namespace lookalike
