// The sentence that names what limits a run.
#include "host/bottleneck.h"

#include <gtest/gtest.h>

#include <thread>

namespace lookalike {
namespace {

TEST(BottleneckTest, NamesTheStageThatWaitedLeast) {
  RunTimes times = {.processor_seconds = 19, .elapsed = 10, .cores = 2, .stages = {}};
  times.stages = {{"decoding", 19.4, 20}, {"encoding", 5.2, 10}, {"writing", 0.9, 10}};
  EXPECT_EQ(bottleneck(times),
            "decoding limits: 1.9 of 2 cores; decoding 97 % busy, encoding 52 %, writing 9 %");
  times.stages[1].seconds = 9.8;
  EXPECT_EQ(bottleneck(times),
            "encoding limits: 1.9 of 2 cores; decoding 97 % busy, encoding 98 %, writing 9 %");
  times.stages[2].seconds = 10.1;  // clocks differ
  EXPECT_EQ(bottleneck(times),
            "writing limits: 1.9 of 2 cores; decoding 97 % busy, encoding 98 %, writing 100 %");
}

TEST(BottleneckTest, SaysNothingOfNothing) {
  EXPECT_EQ(bottleneck({}), "");
  EXPECT_EQ(bottleneck({.processor_seconds = 0, .elapsed = 0, .cores = 2, .stages = {{"decoding", 0, 0}}}),
            "");
  EXPECT_EQ(bottleneck({.processor_seconds = 0, .elapsed = 1, .cores = 2, .stages = {{"decoding", 0, 0}}}),
            "decoding limits: 0.0 of 2 cores; decoding 0 % busy");
}

TEST(BottleneckTest, AStopwatchAddsUp) {
  double seconds = 1;
  for (int i = 0; i < 2; ++i) {
    const Stopwatch watch(seconds);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(seconds, 1.02);
  const RunClock clock;
  EXPECT_GE(clock.elapsed(), 0);
  EXPECT_GE(clock.processor_seconds(), 0);
}

}  // namespace
}  // namespace lookalike
