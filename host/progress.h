// Progress on standard error: a bar on a terminal, a plain line every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace lookalike {

enum class ProgressStyle { kAuto, kBar, kPlain, kJson, kNone };
ProgressStyle parse_progress_style(const std::string& text);  // throws E_USAGE

// How a command talks on standard error.
struct Talk {
  ProgressStyle progress = ProgressStyle::kAuto;  // kNone: messages alone
  bool quiet = false;                             // errors alone
};

// One long piece of work, counted in images. Used by one thread.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  // task: "encode"; total: images in all; now: the time, for tests.
  Progress(const Talk& talk, std::string task, int64_t total,
           std::function<Clock::time_point()> now = Clock::now);
  ~Progress();  // ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done: images so far, of which `resumed` were not this run's; note: "loss 0.5812" or empty. Prints when it
  // is time to.
  void update(int64_t done, const std::string& note);

  // A line of its own, above the bar.
  void message(const std::string& text);

  void set_unit(std::string unit);   // what is counted, in place of "img"
  void set_resumed(int64_t images);  // done before this run: not in the rate
  double rate() const;               // images a second over the last ten seconds
  double seconds() const;            // since the start

 private:
  struct Sample {
    Clock::time_point time;
    int64_t done;
  };
  void print(int64_t done, const std::string& note);

  ProgressStyle style_;
  bool quiet_;
  std::string task_, unit_ = "img";
  int64_t total_;
  std::function<Clock::time_point()> now_;
  int64_t resumed_ = 0;
  int64_t printed_ = -1;  // images of the last print
  Clock::time_point start_, last_print_;
  std::deque<Sample> samples_;
  bool line_open_ = false;
};

// A message where no work is going on.
void say(const Talk& talk, const std::string& task, const std::string& text);
// Each line of a text.
void say_lines(const Talk& talk, const std::string& task, const std::string& text);

// "1m44s", "2h03m", "17s".
std::string format_duration(double seconds);
// "12,345".
std::string format_count(int64_t count);
// "1 photo", "12,345 photos" of "photo".
std::string counted(int64_t count, std::string_view one);
// Control characters and bytes that are not UTF-8 as \x1b: names come from strangers and go to a terminal.
std::string printable(std::string_view text);

}  // namespace lookalike
