// Which stage of a run held up the others, said in one sentence.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace lookalike {

// A part of the work that has threads of its own, or a turn of its own.
struct StageTime {
  std::string name;     // "decoding"
  double seconds = 0;   // at work, waiting for no other stage; summed over its threads
  double capacity = 0;  // seconds that it could have worked: elapsed time x threads
};

struct RunTimes {
  double processor_seconds = 0;  // of the whole process
  double elapsed = 0;            // seconds
  int cores = 0;                 // that the process may use
  std::vector<StageTime> stages;
};

// "decoding limits: 1.9 of 2 cores; decoding 97 % busy, encoding 52 %, writing 9 %". The stage that waited
// least is the limit; of equal ones the first. Empty where nothing was measured.
std::string bottleneck(const RunTimes& times);

// Wall clock and processor time of a run from its construction on.
class RunClock {
 public:
  RunClock();
  double elapsed() const;
  double processor_seconds() const;

 private:
  std::chrono::steady_clock::time_point start_;
  double processor_start_;
};

// Adds the wall time of its scope to `seconds`.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace lookalike
