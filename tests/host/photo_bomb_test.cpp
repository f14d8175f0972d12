// Small files that ask for much: refused from what they say, before anything is allocated for it.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "host/photo_decode.h"
#include "tests/host/jpeg_maker.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::HasSubstr;
using namespace lookalike::testing;

// A grey progressive JPEG of 1 + 2 x 63 scans at most: each coefficient on its own, its last bit once more.
File many_scans(int scans) {
  std::vector<jpeg_scan_info> script;
  const auto scan = [&script](int first, int last, int high, int low) {
    jpeg_scan_info one{};
    one.comps_in_scan = 1;
    one.Ss = first;
    one.Se = last;
    one.Ah = high;
    one.Al = low;
    script.push_back(one);
  };
  scan(0, 0, 0, 0);
  for (int k = 1; k < 64; ++k) scan(k, k, 0, 1);
  for (int k = 1; k < 64 && std::ssize(script) < scans; ++k) scan(k, k, 1, 0);
  std::vector<uint8_t> row(32);
  for (int x = 0; x < 32; ++x) row[static_cast<size_t>(x)] = static_cast<uint8_t>(7 * x * x);
  return jpeg_by_libjpeg(
      [&script](jpeg_compress_struct& info) {
        info.input_components = 1;
        info.in_color_space = JCS_GRAYSCALE;
        jpeg_set_defaults(&info);
        info.scan_info = script.data();
        info.num_scans = static_cast<int>(script.size());
      },
      row);
}

File gif_header(uint32_t width, uint32_t height) {
  File file;
  append(file, "GIF89a");
  append_number(file, width, 2, false);
  append_number(file, height, 2, false);
  append(file, File{0x80, 0, 0, 1, 2, 3, 4, 5, 6});  // two colours
  return file;
}

File gif_frame(uint32_t width, uint32_t height, const File& codes) {
  File frame = {0x2C, 0, 0, 0, 0};
  append_number(frame, width, 2, false);
  append_number(frame, height, 2, false);
  append(frame, File{0, 2, static_cast<uint8_t>(codes.size())});
  append(frame, codes);
  append(frame, File{0, 0x3B});
  return frame;
}

int64_t peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(PhotoBomb, AHundredScansAndNoMore) {
  EXPECT_FALSE(decoded(many_scans(100)).refused) << decoded(many_scans(100)).reason;
  EXPECT_EQ(decoded(many_scans(101)).reason, "JPEG of more than 100 scans");
  EXPECT_EQ(decoded(many_scans(127)).reason, "JPEG of more than 100 scans");
  PhotoLimits more;
  more.jpeg_scans = 127;
  EXPECT_FALSE(decoded(many_scans(127), {}, more).refused);
}

TEST(PhotoBomb, NothingIsAllocatedForWhatIsRefused) {
  const int64_t before = peak_kilobytes();
  std::vector<File> bombs;
  for (const auto& [width, height] : {std::pair{65535U, 65535U}, {65535U, 977U}}) {
    bombs.push_back(gif_header(width, height));
    append(bombs.back(), gif_frame(1, 1, {0x44, 0x01}));
    bombs.push_back(gif_header(1, 1));
    append(bombs.back(), gif_frame(width, height, {0x44, 0x01}));
  }
  TiffMaker tiff{.width = 2, .height = 2};
  tiff.more = {{256, 65535}, {257, 65535}};
  bombs.push_back(tiff.finish(std::vector<int>(12, 9)));
  tiff.more = {{322, 65535}, {323, 65535}, {324, 8}, {325, 3}};  // one tile, larger than all photos
  bombs.push_back(tiff.finish(std::vector<int>(12, 9)));
  bombs.push_back(PngMaker(30000, 30000, 8, 2).finish({0, 1, 2, 3}));
  for (const File& bomb : bombs)
    EXPECT_THAT(decoded(bomb).reason, HasSubstr("more than the limit of 64000000"));
  EXPECT_LT(peak_kilobytes() - before, 32 * 1024);
}

// A TIFF of 1 x 8,000,000 pixels in tiles of 8000 x 8000 that all lie in the same few bytes.
TEST(PhotoBomb, TilesThatShareTheirBytesAreCounted) {
  constexpr uint32_t kTiles = 1000, kEntries = 10, kOffsets = 8 + 2 + kEntries * 12 + 4;
  constexpr uint32_t kLengths = kOffsets + kTiles * 4, kData = kLengths + kTiles * 4, kDataBytes = 64;
  File file;
  const auto put = [&file](uint32_t value, int bytes) { append_number(file, value, bytes, false); };
  const auto entry = [&put](uint32_t tag, uint32_t count, uint32_t value) {
    put(tag, 2);
    put(4, 2);  // LONG
    put(count, 4);
    put(value, 4);
  };
  put(0x002A4949, 4);
  put(8, 4);
  put(kEntries, 2);
  entry(256, 1, 1);          // width
  entry(257, 1, 8'000'000);  // height
  entry(258, 1, 8);          // bits
  entry(259, 1, 8);          // deflate
  entry(262, 1, 1);          // grey
  entry(277, 1, 1);          // samples
  entry(322, 1, 8000);       // tile width
  entry(323, 1, 8000);       // tile height
  entry(324, kTiles, kOffsets);
  entry(325, kTiles, kLengths);
  put(0, 4);
  for (uint32_t i = 0; i < kTiles; ++i) put(kData, 4);
  for (uint32_t i = 0; i < kTiles; ++i) put(kDataBytes, 4);
  for (uint32_t i = 0; i < kDataBytes; ++i) put(i, 1);
  EXPECT_THAT(decoded(file).reason, HasSubstr("more than the limit"));
}

TEST(PhotoBomb, LimitsAreTheCallers) {
  PhotoLimits limits;
  limits.pixels = 99;
  EXPECT_THAT(decoded(encoded(".png", gradient(10, 10)), {}, limits).reason, HasSubstr("the limit of 99"));
  File gif = gif_header(10, 10);
  append(gif, gif_frame(1, 1, {0x44, 0x01}));
  EXPECT_THAT(decoded(gif, {}, limits).reason, HasSubstr("the limit of 99"));
  EXPECT_FALSE(decoded(gif).refused) << decoded(gif).reason;
}

TEST(PhotoGif, ColoursThatAreNotThereAreDamage) {
  File gif = gif_header(1, 1);
  append(gif, gif_frame(1, 1, {0x54, 0x01}));  // colour 2 of two
  EXPECT_EQ(decoded(gif).reason, "damaged GIF: a pixel has no colour");
  File none = gif;
  none[10] = 0;  // no table
  none.erase(none.begin() + 13, none.begin() + 19);
  EXPECT_EQ(decoded(none).reason, "GIF without colours");
}

}  // namespace
}  // namespace lookalike
