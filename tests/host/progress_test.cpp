#include "host/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"

namespace lookalike {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

TEST(Progress, FormatsDurations) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(104), "1m44s");
  EXPECT_EQ(format_duration(7380), "2h03m");
  EXPECT_EQ(format_duration(-1), "0s");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::quiet_NaN()), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
}

TEST(Progress, FormatsCounts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(-123), "-123");
  EXPECT_EQ(format_count(-1234), "-1,234");
}

TEST(Progress, CountsOneAndMany) {
  EXPECT_EQ(counted(0, "photo"), "0 photos");
  EXPECT_EQ(counted(1, "photo"), "1 photo");
  EXPECT_EQ(counted(1234, "photo"), "1,234 photos");
}

TEST(Progress, CountsInTheUnitThatWasSet) {
  CaptureStderr();
  Progress progress({ProgressStyle::kPlain, false}, "import", 10);
  progress.set_unit("codes");
  progress.update(10, "");
  EXPECT_THAT(GetCapturedStderr(), testing::MatchesRegex("import 100.0%  10/10 codes  .* codes/s.*\n"));
}

TEST(Progress, EscapesControlBytes) {
  EXPECT_EQ(printable("a\x1b[31m\n\x7f"), "a\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(printable("Größe"), "Größe");
  EXPECT_EQ(printable("€ 😀"), "€ 😀");
  EXPECT_EQ(printable("a\xff\xe9 b"), "a\\xff\\xe9 b");  // latin 1
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");                      // a control character of two bytes
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");  // cut
  EXPECT_EQ(printable("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");  // overlong, surrogate
}

TEST(Progress, ParsesStyles) {
  EXPECT_EQ(parse_progress_style("auto"), ProgressStyle::kAuto);
  EXPECT_EQ(parse_progress_style("json"), ProgressStyle::kJson);
  EXPECT_THROW(parse_progress_style("Bar"), Error);
  EXPECT_THROW(parse_progress_style(""), Error);
}

TEST(Progress, PlainLinesHaveNoCarriageReturn) {
  CaptureStderr();
  {
    Progress progress({.progress = ProgressStyle::kPlain}, "encode", 2000);
    progress.update(1, "");
    progress.message("one \x1b thing");
    progress.update(2000, "loss 0.5812");
  }
  const std::string text = GetCapturedStderr();
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_THAT(text, HasSubstr("one \\x1b thing\n"));
  EXPECT_THAT(text, HasSubstr("encode 100.0%  2,000/2,000 img"));
  EXPECT_THAT(text, HasSubstr("loss 0.5812\n"));
  EXPECT_EQ(text.find("1/2,000"), std::string::npos) << "it was not time for a line yet";
}

TEST(Progress, BarEndsItsLine) {
  CaptureStderr();
  {
    Progress progress({.progress = ProgressStyle::kBar}, "train", 10);
    progress.update(10, "");
  }
  const std::string text = GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("\rtrain [========================] 100.0%"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(Progress, JsonLinesAreJson) {
  CaptureStderr();
  {
    Progress progress({.progress = ProgressStyle::kJson}, "train", 10);
    progress.message("quote \" and \xff");
    progress.update(10, "loss 1");
  }
  std::istringstream lines(GetCapturedStderr());
  std::string line;
  std::vector<nlohmann::json> objects;
  while (std::getline(lines, line)) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_THAT(objects[0]["message"].get<std::string>(), HasSubstr("quote \""));
  EXPECT_EQ(objects[1]["done"], 10);
  EXPECT_EQ(objects[1]["total"], 10);
  EXPECT_EQ(objects[1]["note"], "loss 1");
}

TEST(Progress, NoneLeavesMessagesAndQuietLeavesNothing) {
  for (const bool quiet : {false, true}) {
    CaptureStderr();
    {
      Progress progress({.progress = ProgressStyle::kNone, .quiet = quiet}, "train", 10);
      progress.message("anything");
      progress.update(10, "loss 1");
    }
    EXPECT_EQ(GetCapturedStderr(), quiet ? "" : "anything\n");
  }
  CaptureStderr();
  {
    Progress progress({.progress = ProgressStyle::kPlain, .quiet = true}, "train", 10);
    progress.update(10, "loss 1");
  }
  EXPECT_EQ(GetCapturedStderr(), "");
}

// 100 images a second for 20 seconds, then 10 a second for 40, told once a second.
TEST(Progress, PlainLinesComeEveryTenSecondsWithTheRateOfTheLastTen) {
  Progress::Clock::time_point now{};
  CaptureStderr();
  int64_t done = 0;
  {
    Progress progress({.progress = ProgressStyle::kPlain}, "encode", 10'000, [&now] { return now; });
    for (int second = 1; second <= 60; ++second) {
      now += std::chrono::seconds(1);
      done += second <= 20 ? 100 : 10;
      progress.update(done, "");
    }
    EXPECT_DOUBLE_EQ(progress.rate(), 10);
    EXPECT_DOUBLE_EQ(progress.seconds(), 60);
  }
  std::istringstream lines(GetCapturedStderr());
  std::vector<std::string> seen;
  for (std::string line; std::getline(lines, line);) seen.push_back(line);
  ASSERT_EQ(seen.size(), 6U);
  EXPECT_THAT(seen[0], HasSubstr("1,000/10,000 img  100 img/s  eta 1m30s"));
  EXPECT_THAT(seen[1], HasSubstr("2,000/10,000 img  100 img/s"));
  EXPECT_THAT(seen[2], HasSubstr("2,100/10,000 img  10 img/s"));
  EXPECT_THAT(seen[5], HasSubstr("2,400/10,000 img  10 img/s  eta 12m40s"));
}

TEST(Progress, TheRateLeavesOutWhatWasDoneBefore) {
  Progress progress({.progress = ProgressStyle::kNone}, "encode", 2'000'000'000);
  progress.set_resumed(1'000'000'000);
  progress.update(1'000'000'000, "");
  EXPECT_EQ(progress.rate(), 0);
  progress.update(1'000'000'001, "");
  EXPECT_GT(progress.rate(), 0);
}

}  // namespace
}  // namespace lookalike
