// Every kind of photo file: photos/table.json says what each becomes. photos/make.py makes both.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "host/photo_decode.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::HasSubstr;
using namespace lookalike::testing;

const std::string kFolder = std::string(LOOKALIKE_TEST_DATA) + "/host/photos/";

cv::Mat expected_pixels(const nlohmann::json& rows) {
  cv::Mat pixels(static_cast<int>(rows.size()), static_cast<int>(rows.at(0).size()), CV_8UC3);
  for (int y = 0; y < pixels.rows; ++y) {
    for (int x = 0; x < pixels.cols; ++x) {
      const auto digits = rows.at(static_cast<size_t>(y)).at(static_cast<size_t>(x)).get<std::string>();
      const unsigned long rgb = std::stoul(digits, nullptr, 16);
      pixels.at<cv::Vec3b>(y, x) = {static_cast<uint8_t>(rgb), static_cast<uint8_t>(rgb >> 8),
                                    static_cast<uint8_t>(rgb >> 16)};
    }
  }
  return pixels;
}

nlohmann::json read_table() { return nlohmann::json::parse(std::ifstream(kFolder + "table.json")); }

File read_file(const std::string& name) {
  std::ifstream stream(kFolder + name, std::ios::binary);
  EXPECT_TRUE(stream.good()) << name;
  return File{std::istreambuf_iterator<char>(stream), {}};
}

TEST(PhotoKinds, EachFileBecomesWhatTheTableSays) {
  const nlohmann::json table = read_table();
  ASSERT_GE(table.size(), 60U);
  for (const nlohmann::json& entry : table) {
    const auto name = entry.at("file").get<std::string>();
    SCOPED_TRACE(name);
    const File file = read_file(name);
    const Outcome outcome = decoded(file);
    EXPECT_EQ(outcome.refused, entry.contains("refused")) << outcome.reason;
    if (entry.contains("refused")) {
      EXPECT_THAT(outcome.reason, HasSubstr(entry.at("refused").get<std::string>()));
      EXPECT_TRUE(all_zero(outcome.pixels));
      continue;
    }
    if (outcome.refused) continue;
    const cv::Mat expected = expected_pixels(entry.at("pixels"));
    EXPECT_EQ(outcome.photo.width, expected.cols);
    EXPECT_EQ(outcome.photo.height, expected.rows);
    const StoredPhoto stored = decode_stored(file, {}, {});
    const cv::Mat pixels = upright(stored.pixels, stored.orientation);
    ASSERT_EQ(pixels.size(), expected.size());
    EXPECT_LE(cv::norm(pixels, expected, cv::NORM_INF), entry.at("tolerance").get<double>())
        << "got\n"
        << pixels << "\nnot\n"
        << expected;
  }
}

// Cut at every byte, in a buffer that held another photo: none is accepted, none shows a pixel of the other.
TEST(PhotoKinds, NoCutOfAnyKindIsAccepted) {
  const File other = encoded(".png", gradient(150, 150));
  cv::Mat pixels(kImageSize, kImageSize, CV_8UC3);
  int64_t cuts = 0;
  for (const nlohmann::json& entry : read_table()) {
    const auto name = entry.at("file").get<std::string>();
    const bool goes_on_behind_its_end = name == "trailer.jpg" || name == "two_photos.jpg";
    if (entry.contains("refused") || goes_on_behind_its_end) continue;
    SCOPED_TRACE(name);
    const File file = read_file(name);
    ::testing::internal::CaptureStderr();
    decode_photo(other, {}, {}, pixels.data);
    for (size_t size = 0; size < file.size(); ++size, ++cuts) {
      bool refused = false;
      try {
        decode_photo(File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)), {}, {},
                     pixels.data);
      } catch (const RefusedPhoto&) {
        refused = true;
      }
      EXPECT_TRUE(refused) << "cut to " << size << " of " << file.size() << " bytes";
      EXPECT_TRUE(!refused || all_zero(pixels)) << "cut to " << size;
      if (!refused || size % 64 == 0) decode_photo(other, {}, {}, pixels.data);
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  }
  EXPECT_GT(cuts, 20000);
}

// One bit of every byte: refused or decoded, the same both times, and nothing printed.
TEST(PhotoKinds, ChangedBytesDoNotCrash) {
  for (const nlohmann::json& entry : read_table()) {
    const auto name = entry.at("file").get<std::string>();
    if (!name.ends_with(".gif") && !name.ends_with(".tiff")) continue;
    SCOPED_TRACE(name);
    const File whole = read_file(name);
    ::testing::internal::CaptureStderr();
    for (size_t at = 0; at < whole.size(); ++at) {
      File file = whole;
      file[at] = static_cast<uint8_t>(file[at] ^ (1U << (at % 8)));
      const Outcome outcome = decoded(file), again = decoded(file);
      ASSERT_TRUE(!outcome.refused || all_zero(outcome.pixels)) << at;
      ASSERT_EQ(outcome.reason, again.reason) << at;
      ASSERT_TRUE(same_pixels(outcome.pixels, again.pixels)) << at;
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  }
}

}  // namespace
}  // namespace lookalike
