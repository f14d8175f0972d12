#include "host/commands/flags.h"

#include "tests/host/scratch.h"

namespace lookalike {
namespace {

TEST(Flags, SizesHaveUnits) {
  EXPECT_EQ(parse_size("--memory", "0"), 0);
  EXPECT_EQ(parse_size("--memory", "512"), 512);
  EXPECT_EQ(parse_size("--memory", "512b"), 512);
  EXPECT_EQ(parse_size("--memory", "2K"), 2048);
  EXPECT_EQ(parse_size("--memory", "512MiB"), int64_t{512} << 20);
  EXPECT_EQ(parse_size("--memory", "512mb"), int64_t{512} << 20);
  EXPECT_EQ(parse_size("--memory", "2G"), int64_t{2} << 30);
  EXPECT_EQ(parse_size("--memory", "3TiB"), int64_t{3} << 40);
  EXPECT_EQ(parse_size("--memory", "8388607T"), int64_t{8388607} << 40);
}

TEST(Flags, WhatIsNoSizeIsRefusedWithTheFlag) {
  for (const char* text : {"", "G", "-1", "-1G", "1.5G", "2Q", "2GG", "2iB", "2Bi", "2 G", " 2G", "0x10",
                           "8388608T", "9223372036854775808", "99999999999G"}) {
    expect_error(ExitCode::kUsage, "--memory is '" + std::string(text) + "'",
                 [&] { parse_size("--memory", text); });
  }
}

TEST(Flags, NumbersAreReadToTheLastCharacter) {
  for (const char* text : {"0", "-5", "9223372036854775807"}) EXPECT_EQ(whole_number(text), "") << text;
  for (const char* text : {"", " 5", "5 ", "+5", "5x", "0x10", "1e3", "1.5", "9223372036854775808"}) {
    EXPECT_NE(whole_number(text), "") << text;
  }
  for (const char* text : {"0.1", "1e-3", "-2", "nan"}) EXPECT_EQ(real_number(text), "") << text;
  for (const char* text : {"", "0.1x", "0,1", " 0.1", "1e400", "fast"})
    EXPECT_NE(real_number(text), "") << text;
}

}  // namespace
}  // namespace lookalike
