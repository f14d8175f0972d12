// The tools of the tests can fail: each refuses what it is there to refuse.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/compare.h"
#include "tests/support/npy.h"

namespace lookalike::test {
namespace {

using Values = std::vector<float>;
constexpr auto kAnything = [](std::size_t) { return 1e30; };

TEST(Compare, NotFiniteNeverPasses) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    EXPECT_FALSE(within({"op", {2}, "hand-made"}, Values{1, bad}, Values{1, 1}, kAnything));
    EXPECT_FALSE(within({"op", {2}, "hand-made"}, Values{1, 1}, Values{1, bad}, kAnything));
    EXPECT_FALSE(within({"op", {2}, "hand-made"}, Values{1, bad}, Values{1, bad}, kAnything));
  }
  for (const double bound : {std::nan(""), HUGE_VAL})
    EXPECT_FALSE(within({"op", {1}, "hand-made"}, Values{1}, Values{1}, [&](std::size_t) { return bound; }));
}

TEST(Compare, SizesMustAgreeWithTheShape) {
  EXPECT_FALSE(equal({"op", {2}, "hand-made"}, Values{1, 2}, Values{1}));
  EXPECT_FALSE(equal({"op", {3}, "hand-made"}, Values{1, 2}, Values{1, 2}));
  EXPECT_TRUE(equal({"op", {2, 1}, "hand-made"}, Values{1, 2}, Values{1, 2}));
}

TEST(Compare, TheMessageNamesTheWorstElement) {
  const auto result = equal({"conv", {2, 3}, "seed 7"}, Values{0, 0, 0, 0, 0, 0}, Values{0, 1, 0, 0, 5, 0});
  ASSERT_FALSE(result);
  EXPECT_STREQ(
      result.message(),
      "conv { 2, 3 }, seed 7: 2 of 6 elements differ; worst at [4] (1, 1): expected 0, actual 5, error 5, "
      "allowed 0");
}

TEST(Compare, BytesTellSignsOfZero) {
  const Values zero{0.0F}, negative{-0.0F};
  EXPECT_FALSE(same_bytes<float>({"op", {1}, "hand-made"}, zero, negative));
  EXPECT_TRUE(same_bytes<float>({"op", {1}, "hand-made"}, zero, zero));
}

TEST(Guarded, SeesWritesOutside) {
  for (const int64_t at : {-1, 3}) {
    Guarded<float> buffer(3);
    EXPECT_TRUE(buffer.intact());
    buffer.data()[at] = 1.0F;
    EXPECT_FALSE(buffer.intact()) << at;
  }
}

class NpyFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::string& header, std::size_t data_bytes, const std::string& magic = "\x93NUMPY\x01") {
    std::string bytes = magic + '\0';
    bytes += static_cast<char>(header.size() % 256);
    bytes += static_cast<char>(header.size() / 256);
    bytes += header + std::string(data_bytes, '\0');
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("lookalike_npy_" + std::to_string(getpid()) + "_" +
                                 ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".npy");
};

TEST_F(NpyFile, ReadsWhatItShould) {
  write("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24);
  EXPECT_EQ(read_npy<float>(path_).shape, (std::vector<int64_t>{2, 3}));
  write("{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }\n", 5);
  EXPECT_EQ(read_npy<uint8_t>(path_).values.size(), 5U);
}

TEST_F(NpyFile, RefusesTheRest) {
  const auto refuses = [this] { EXPECT_THROW(read_npy<float>(path_), std::runtime_error); };
  refuses();  // no such file
  write("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 23);
  refuses();
  write("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 25);
  refuses();
  write("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n", 48);
  refuses();
  write("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", 24);
  refuses();
  write("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }\n", 24);
  refuses();
  write("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, "\x93NUMPY\x02");
  refuses();
  std::ofstream(path_, std::ios::binary) << "\x93NUMPY";
  refuses();
}

}  // namespace
}  // namespace lookalike::test
