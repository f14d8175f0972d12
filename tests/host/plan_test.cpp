#include "host/plan.h"

#include "host/settings.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Plan, BytesAreRead) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1023), "1023 bytes");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(int64_t{3} << 29), "1.5 GiB");
  EXPECT_EQ(format_bytes(int64_t{5000} << 40), "5000.0 TiB");
}

TEST(Plan, PlacesAreSpreadOverTheList) {
  EXPECT_THAT(spread_over(0, 5), IsEmpty());
  EXPECT_THAT(spread_over(3, 5), ElementsAre(0, 1, 2));
  EXPECT_THAT(spread_over(100, 2), ElementsAre(25, 75));
  const auto places = spread_over(1'000'000'007, 512);
  EXPECT_EQ(places.size(), 512U);
  EXPECT_LT(places.back(), 1'000'000'007);
}

TEST(Plan, FreeSpaceIsThatOfTheNearestFolder) {
  const std::string here = free_space_text("/", 0);
  EXPECT_THAT(here, HasSubstr(" free"));
  EXPECT_THAT(free_space_text("/no/such/folder", 0), HasSubstr(" free"));
  EXPECT_THAT(free_space_text("bare", 0), HasSubstr(" free"));
  EXPECT_THAT(free_space_text("/", INT64_MAX), HasSubstr("TOO LITTLE"));
}

TEST(Settings, WarnOfWhatCanChangeTheLastBits) {
  const Settings now = {{"instruction_set", "AVX2"}, {"version", "2"}, {"seed", "1"}};
  EXPECT_THAT(last_bit_warnings(now, now, "m", "codes"), IsEmpty());
  const auto one = last_bit_warnings({{"instruction_set", "AVX3"}, {"version", "2"}}, now, "m", "codes");
  EXPECT_THAT(one,
              ElementsAre(HasSubstr("instruction_set was AVX3 when m was begun and is now AVX2: codes can")));
  EXPECT_EQ(last_bit_warnings({}, now, "m", "codes").size(), 2U);
}

}  // namespace
}  // namespace lookalike
