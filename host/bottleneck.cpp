#include "host/bottleneck.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

namespace lookalike {
namespace {

double processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double busy(const StageTime& stage) { return stage.capacity > 0 ? stage.seconds / stage.capacity : 0; }

}  // namespace

std::string bottleneck(const RunTimes& times) {
  const auto limit =
      std::max_element(times.stages.begin(), times.stages.end(),
                       [](const StageTime& a, const StageTime& b) { return busy(a) < busy(b); });
  if (limit == times.stages.end() || times.elapsed <= 0) return {};
  std::string text = fmt::format("{} limits: {:.1f} of {} cores;", limit->name,
                                 times.processor_seconds / times.elapsed, times.cores);
  for (const StageTime& stage : times.stages) {
    text += fmt::format("{} {} {} %{}", &stage == times.stages.data() ? "" : ",", stage.name,
                        std::lround(100 * std::min(busy(stage), 1.0)),
                        &stage == times.stages.data() ? " busy" : "");
  }
  return text;
}

RunClock::RunClock() : start_(std::chrono::steady_clock::now()), processor_start_(processor_time()) {}

double RunClock::elapsed() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double RunClock::processor_seconds() const { return processor_time() - processor_start_; }

}  // namespace lookalike
