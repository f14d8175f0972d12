#include "host/refusals.h"

#include "tests/host/scratch.h"

namespace lookalike {
namespace {

bool too_many(const std::string& limit, int64_t refused, int64_t listed) {
  try {
    require_few_refused(parse_refusal_limit(limit), refused, listed, "there");
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kTooManyRefused);
    return true;
  }
}

TEST(RefusalLimit, IsAShareOrANumber) {
  EXPECT_FALSE(too_many("5%", 5, 100));
  EXPECT_TRUE(too_many("5%", 6, 100));
  EXPECT_FALSE(too_many("5", 5, 6));
  EXPECT_TRUE(too_many("5", 6, 1'000'000));
  EXPECT_TRUE(too_many("0%", 1, 1'000'000'000));
  EXPECT_FALSE(too_many("0", 0, 10));
  EXPECT_FALSE(too_many("100%", 10, 10));
  EXPECT_NO_THROW(require_few_refused({}, 10, 10, ""));
}

// 0.57 x 10,000 is 5,699.999... in doubles.
TEST(RefusalLimit, ExactlyAsManyAreNotTooMany) {
  for (int64_t hundredths = 0; hundredths <= 10'000; ++hundredths) {
    const std::string limit = std::to_string(hundredths / 100) + (hundredths % 100 < 10 ? ".0" : ".") +
                              std::to_string(hundredths % 100) + "%";
    ASSERT_FALSE(too_many(limit, hundredths, 10'000)) << limit;
    ASSERT_TRUE(too_many(limit, hundredths + 1, 10'000)) << limit;
  }
}

TEST(RefusalLimit, OtherTextIsAnError) {
  for (const char* text :
       {"", "%", "x", "-1", "-1%", "101%", "1.5", "5%%", "5 %", "nan%", "inf%", "1e1%", "0x5"}) {
    expect_error(ExitCode::kUsage, "--max-bad is '" + std::string(text) + "'",
                 [&] { parse_refusal_limit(text); });
  }
}

TEST(Refusals, KeepEveryByte) {
  const std::vector<Refusal> refusals = {{"a,\"b\"", "p/\n", "cut"}, {"\xFF", "\x1B[31m", "no, it is not"}};
  EXPECT_EQ(refusals_csv(refusals),
            "id,path,reason\n\"a,\"\"b\"\"\",\"p/\n\",cut\n\xFF,\x1B[31m,\"no, it is not\"\n");
  EXPECT_EQ(refusals_json(refusals),
            "{\"id\":\"a,\\\"b\\\"\",\"path\":\"p/\\n\",\"reason\":\"cut\"}\n"
            "{\"id\":\"hex:ff\",\"path\":\"\\u001b[31m\",\"reason\":\"no, it is not\"}\n");
}

}  // namespace
}  // namespace lookalike
