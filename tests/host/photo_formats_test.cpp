#include <gmock/gmock.h>

#include <random>

#include "host/photo_decode.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::HasSubstr;
using namespace lookalike::testing;

constexpr Background kWhite = {255, 255, 255};
constexpr Background kSky = {240, 180, 60};  // blue, green, red

cv::Mat one_row(const std::vector<cv::Vec3b>& pixels) { return cv::Mat(pixels, true).reshape(3, 1); }

// (c a + b (255 - a)) / 255, rounded.
cv::Vec3b over(const cv::Vec3b& colour, double alpha, const Background& background) {
  cv::Vec3b result;
  for (int c = 0; c < 3; ++c) {
    result[c] = static_cast<uint8_t>(
        std::lround((colour[c] * alpha + background[static_cast<size_t>(c)] * (255 - alpha)) / 255));
  }
  return result;
}

cv::Mat with_alpha(const cv::Mat& bgr) {
  cv::Mat pixels(bgr.size(), CV_8UC4);
  for (int y = 0; y < bgr.rows; ++y) {
    for (int x = 0; x < bgr.cols; ++x) {
      const auto& p = bgr.at<cv::Vec3b>(y, x);
      pixels.at<cv::Vec4b>(y, x) = {p[0], p[1], p[2], static_cast<uint8_t>(17 * ((x + 3 * y) % 16))};
    }
  }
  return pixels;
}

cv::Mat over_by_definition(const cv::Mat& bgra, const Background& background) {
  cv::Mat pixels(bgra.size(), CV_8UC3);
  for (int y = 0; y < bgra.rows; ++y) {
    for (int x = 0; x < bgra.cols; ++x) {
      const auto& p = bgra.at<cv::Vec4b>(y, x);
      pixels.at<cv::Vec3b>(y, x) = over({p[0], p[1], p[2]}, p[3], background);
    }
  }
  return pixels;
}

// Every byte changed in one bit: refused, or decoded to something, but never a crash.
void expect_no_crash(const File& whole) {
  for (size_t at = 0; at < whole.size(); ++at) {
    File file = whole;
    file[at] = static_cast<uint8_t>(file[at] ^ (1U << (at % 8)));
    const Outcome outcome = decoded(file);
    ASSERT_TRUE(!outcome.refused || all_zero(outcome.pixels)) << at;
  }
}

TEST(PhotoFormats, OtherFilesAreNotPhotos) {
  EXPECT_EQ(decoded({}).reason, "empty");
  for (const char* text : {"<html>", "%PDF-1.4", "B", "RIFF....WAVE", "II", "\x89PNG", "plain text"}) {
    const std::string bytes = text;
    EXPECT_EQ(decoded(File(bytes.begin(), bytes.end())).reason,
              "not a JPEG, PNG, WebP, BMP, TIFF or GIF photo")
        << text;
  }
  EXPECT_THAT(decoded(File{'G', 'I', 'F', '8', '9', 'a'}).reason, HasSubstr("ends too early"));
  EXPECT_THAT(decoded(File{0, 0, 0, 24, 'f', 't', 'y', 'p', 'h', 'e', 'i', 'c'}).reason, HasSubstr("HEIC"));
}

TEST(PhotoFormats, LimitsTheFileOfEveryFormat) {
  PhotoLimits limits;
  limits.file_bytes = 100;
  EXPECT_THAT(decoded(encoded(".bmp", gradient(20, 20)), {}, limits).reason, HasSubstr("limit of 100"));
}

TEST(PhotoFormats, LosslessFormatsGiveTheirPixels) {
  const cv::Mat photo = gradient(150, 150);
  for (const char* extension : {".png", ".bmp", ".tiff"}) {
    const Outcome outcome = decoded(encoded(extension, photo));
    ASSERT_FALSE(outcome.refused) << extension << " " << outcome.reason;
    EXPECT_TRUE(same_pixels(outcome.pixels, photo)) << extension;
    EXPECT_EQ(outcome.photo.width, 150);
  }
  EXPECT_TRUE(same_pixels(decoded(encoded(".webp", photo, {cv::IMWRITE_WEBP_QUALITY, 101})).pixels, photo));
}

TEST(PhotoFormats, NoCutIsAccepted) {
  const cv::Mat photo = gradient(21, 13);
  expect_no_cut_accepted(encoded(".png", photo));
  expect_no_cut_accepted(encoded(".png", with_alpha(photo)));
  expect_no_cut_accepted(encoded(".bmp", photo));
  expect_no_cut_accepted(encoded(".webp", photo, {cv::IMWRITE_WEBP_QUALITY, 80}));
  expect_no_cut_accepted(encoded(".webp", photo, {cv::IMWRITE_WEBP_QUALITY, 101}));
  expect_no_cut_accepted(encoded(".webp", with_alpha(photo), {cv::IMWRITE_WEBP_QUALITY, 80}));
  expect_no_cut_accepted(encoded(".tiff", photo));
  expect_no_cut_accepted(TiffMaker{.width = 2, .height = 3}.finish(std::vector<int>(18, 9)));
}

TEST(PhotoFormats, ChangedBytesDoNotCrash) {
  const cv::Mat photo = gradient(9, 7);
  expect_no_crash(encoded(".bmp", photo));
  expect_no_crash(encoded(".webp", photo, {cv::IMWRITE_WEBP_QUALITY, 101}));
  expect_no_crash(encoded(".webp", with_alpha(photo), {cv::IMWRITE_WEBP_QUALITY, 80}));
  expect_no_crash(encoded(".tiff", photo));
  expect_no_crash(TiffMaker{.width = 2, .height = 3, .big = true}.finish(std::vector<int>(18, 9)));
}

TEST(PhotoFormats, AlphaShowsTheBackground) {
  const cv::Mat bgra = with_alpha(gradient(150, 150));
  for (const Background& background : {kWhite, kSky}) {
    const cv::Mat expected = over_by_definition(bgra, background);
    for (const File& file :
         {encoded(".png", bgra), encoded(".webp", bgra, {cv::IMWRITE_WEBP_QUALITY, 101})}) {
      const Outcome outcome = decoded(file, {Fit::kStretch, background});
      ASSERT_FALSE(outcome.refused) << outcome.reason;
      // WebP's encoder clears the colour of what is fully transparent; that shows the background anyhow.
      EXPECT_TRUE(same_pixels(outcome.pixels, expected));
    }
  }
}

TEST(PhotoFormats, SixteenBitsAreRounded) {
  cv::Mat deep(1, 4, CV_16UC3);
  for (int x = 0; x < 4; ++x) {
    const int values[] = {0, 128, 129, 65535};
    deep.at<cv::Vec3w>(0, x) = {static_cast<uint16_t>(values[x]), 257 * 100, 257 * 100 + 129};
  }
  const cv::Mat expected = one_row({{0, 100, 101}, {0, 100, 101}, {1, 100, 101}, {255, 100, 101}});
  EXPECT_TRUE(same_pixels(decode_png(encoded(".png", deep), {}, kWhite).pixels, expected));
  EXPECT_TRUE(same_pixels(decode_tiff(encoded(".tiff", deep), {}, kWhite).pixels, expected));
}

// PNG.

TEST(PhotoPng, AnyChangedByteIsRefused) {
  const File whole = encoded(".png", gradient(21, 13));
  for (size_t at = 0; at < whole.size(); ++at) {
    File file = whole;
    file[at] = static_cast<uint8_t>(file[at] ^ (1U << (at % 8)));
    const std::string reason = decoded(file).reason;
    ASSERT_TRUE(at < 8 ? !reason.empty() : reason.starts_with("damaged")) << "byte " << at << ": " << reason;
  }
}

TEST(PhotoPng, HugeSizesAreRefusedFromTheHeader) {
  for (const auto& [width, height] :
       {std::pair{30000U, 30000U}, {0x7FFFFFFFU, 0x7FFFFFFFU}, {0xFFFFFFFFU, 1U}}) {
    EXPECT_THAT(decoded(PngMaker(width, height, 8, 2).finish({0, 1, 2, 3})).reason,
                HasSubstr("limit of 64000000"));
  }
  EXPECT_TRUE(decoded(PngMaker(0, 10, 8, 2).finish({0})).refused);
}

TEST(PhotoPng, TooFewPixelsAreRefused) {
  EXPECT_TRUE(decoded(PngMaker(2, 2, 8, 0).finish({0, 1, 2})).refused);
}

TEST(PhotoPng, GreyOfEveryDepth) {
  const auto pixels = [](int depth, const File& row) {
    return decode_png(PngMaker(2, 1, depth, 0).finish(row), {}, kWhite).pixels;
  };
  EXPECT_TRUE(same_pixels(pixels(1, {0, 0x40}), one_row({{0, 0, 0}, {255, 255, 255}})));
  EXPECT_TRUE(same_pixels(pixels(2, {0, 0x60}), one_row({{85, 85, 85}, {170, 170, 170}})));
  EXPECT_TRUE(same_pixels(pixels(4, {0, 0x3A}), one_row({{51, 51, 51}, {170, 170, 170}})));
  EXPECT_TRUE(same_pixels(pixels(8, {0, 7, 200}), one_row({{7, 7, 7}, {200, 200, 200}})));
  EXPECT_TRUE(same_pixels(pixels(16, {0, 0, 129, 255, 127}), one_row({{1, 1, 1}, {255, 255, 255}})));
}

TEST(PhotoPng, GreyWithATransparentValue) {
  const auto pixels = [](int depth, const File& row, uint8_t key) {
    return decode_png(PngMaker(2, 1, depth, 0).chunk("tRNS", {0, key}).finish(row), {}, kSky).pixels;
  };
  const cv::Vec3b sky(kSky[0], kSky[1], kSky[2]);
  EXPECT_TRUE(same_pixels(pixels(8, {0, 7, 200}, 7), one_row({sky, {200, 200, 200}})));
  EXPECT_TRUE(same_pixels(pixels(2, {0, 0x60}, 2), one_row({{85, 85, 85}, sky})));
  EXPECT_TRUE(same_pixels(pixels(16, {0, 1, 7, 0, 7}, 7), one_row({{1, 1, 1}, sky})));
}

TEST(PhotoPng, ColourWithATransparentValue) {
  const File file = PngMaker(2, 1, 8, 2).chunk("tRNS", {0, 1, 0, 2, 0, 3}).finish({0, 1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(
      same_pixels(decode_png(file, {}, kSky).pixels, one_row({{kSky[0], kSky[1], kSky[2]}, {6, 5, 4}})));
}

TEST(PhotoPng, GreyWithAlpha) {
  const File file = PngMaker(3, 1, 8, 4).finish({0, 100, 255, 100, 0, 100, 51});
  EXPECT_TRUE(same_pixels(decode_png(file, {}, kSky).pixels,
                          one_row({{100, 100, 100}, over({}, 0, kSky), over({100, 100, 100}, 51, kSky)})));
}

TEST(PhotoPng, DeepColourWithAlphaIsRoundedOnce) {
  const File file = PngMaker(1, 1, 16, 6).finish({0, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0x80, 0x00});
  cv::Vec3b expected;
  const int stored[] = {0x9ABC, 0x5678, 0x1234};  // blue, green, red
  for (int c = 0; c < 3; ++c) {
    const double sum = stored[c] * 32768.0 + kSky[static_cast<size_t>(c)] * 257.0 * 32767.0;
    expected[c] = static_cast<uint8_t>(std::lround(sum / 65535 / 257));
  }
  EXPECT_TRUE(same_pixels(decode_png(file, {}, kSky).pixels, one_row({expected})));
}

TEST(PhotoPng, PaletteWithAndWithoutAlpha) {
  const File palette = {10, 20, 30, 40, 50, 60};
  const File plain = PngMaker(2, 1, 8, 3).chunk("PLTE", palette).finish({0, 1, 0});
  EXPECT_TRUE(same_pixels(decode_png(plain, {}, kSky).pixels, one_row({{60, 50, 40}, {30, 20, 10}})));
  const File clear = PngMaker(2, 1, 1, 3).chunk("PLTE", palette).chunk("tRNS", {0}).finish({0, 0x40});
  EXPECT_TRUE(same_pixels(decode_png(clear, {}, kSky).pixels, one_row({over({}, 0, kSky), {60, 50, 40}})));
}

TEST(PhotoPng, Interlaced) {
  const File file = PngMaker(2, 2, 8, 0, true).finish({0, 10, 0, 20, 0, 30, 40});
  const cv::Mat pixels = decode_png(file, {}, kWhite).pixels;
  EXPECT_EQ(pixels.at<cv::Vec3b>(0, 0)[0], 10);
  EXPECT_EQ(pixels.at<cv::Vec3b>(0, 1)[0], 20);
  EXPECT_EQ(pixels.at<cv::Vec3b>(1, 0)[0], 30);
  EXPECT_EQ(pixels.at<cv::Vec3b>(1, 1)[0], 40);
}

TEST(PhotoPng, ExifTurnsIt) {
  const File file = PngMaker(2, 1, 8, 0).chunk("eXIf", exif_block(6)).finish({0, 10, 20});
  EXPECT_EQ(decode_png(file, {}, kWhite).orientation, 6);
  const Outcome outcome = decoded(file);
  EXPECT_EQ(outcome.photo.width, 1);
  EXPECT_EQ(outcome.photo.height, 2);
}

TEST(PhotoPng, WhatIsNotPixelsIsNotRead) {
  const File good = PngMaker(2, 1, 8, 0).finish({0, 10, 20});
  const File odd = PngMaker(2, 1, 8, 0)
                       .chunk("iCCP", {'n', 0, 0, 'r', 'u', 'b'})
                       .chunk("zTXt", {1, 2, 3})
                       .chunk("gAMA", {0, 0, 0, 1})
                       .chunk("acTL", File(8, 1))
                       .finish({0, 10, 20});
  ::testing::internal::CaptureStderr();
  const Outcome outcome = decoded(odd);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(outcome.refused) << outcome.reason;
  EXPECT_TRUE(same_pixels(outcome.pixels, decoded(good).pixels));
}

TEST(PhotoPng, UnknownCriticalChunksAreRefused) {
  EXPECT_THAT(decoded(PngMaker(2, 1, 8, 0).chunk("CgBI", {1}).finish({0, 1, 2})).reason,
              HasSubstr("unknown kind"));
}

TEST(PhotoPng, BytesAfterTheEndDoNotMatter) {
  File file = encoded(".png", gradient(9, 9));
  append(file, "trailer");
  EXPECT_FALSE(decoded(file).refused);
}

// WebP.

File webp_of(const std::vector<std::pair<std::string, File>>& chunks) {
  File body;
  append(body, "WEBP");
  for (const auto& [type, data] : chunks) {
    append(body, type);
    append_number(body, data.size(), 4, false);
    append(body, data);
    if (data.size() % 2 != 0) body.push_back(0);
  }
  File file;
  append(file, "RIFF");
  append_number(file, body.size(), 4, false);
  append(file, body);
  return file;
}

File canvas(uint8_t flags, uint32_t width, uint32_t height) {
  File data = {flags, 0, 0, 0};
  append_number(data, width - 1, 3, false);
  append_number(data, height - 1, 3, false);
  return data;
}

// The pixels chunk of a simple lossless file.
File lossless_chunk(const cv::Mat& pixels) {
  const File file = encoded(".webp", pixels, {cv::IMWRITE_WEBP_QUALITY, 101});
  const size_t length = file[16] | static_cast<size_t>(file[17]) << 8 | static_cast<size_t>(file[18]) << 16;
  return {file.begin() + 20, file.begin() + 20 + static_cast<std::ptrdiff_t>(length)};
}

TEST(PhotoWebp, ExifTurnsIt) {
  const cv::Mat photo = gradient(20, 10);
  File block = exif_block(6);
  block.push_back(0);  // an odd length: a byte of padding ends the file
  const File file =
      webp_of({{"VP8X", canvas(0x08, 20, 10)}, {"VP8L", lossless_chunk(photo)}, {"EXIF", block}});
  const StoredPhoto stored = decode_webp(file, {}, kWhite);
  EXPECT_EQ(stored.orientation, 6);
  EXPECT_TRUE(same_pixels(stored.pixels, photo));
  expect_no_cut_accepted(file);
}

TEST(PhotoWebp, AnimationsAndHugeSizesAreRefused) {
  const File pixels = lossless_chunk(gradient(20, 10));
  EXPECT_THAT(decoded(webp_of({{"VP8X", canvas(0x02, 20, 10)}, {"VP8L", pixels}})).reason,
              HasSubstr("animated"));
  EXPECT_THAT(decoded(webp_of({{"VP8X", canvas(0, 16384, 16384)}, {"VP8L", pixels}})).reason,
              HasSubstr("limit"));
  EXPECT_TRUE(decoded(webp_of({{"VP8X", canvas(0, 21, 10)}, {"VP8L", pixels}})).refused);
  File huge = pixels;
  std::fill(huge.begin() + 1, huge.begin() + 5, uint8_t{0xFF});
  EXPECT_EQ(decoded(webp_of({{"VP8L", huge}})).reason,
            "16384x16384 pixels are more than the limit of 64000000");
  File lossy = encoded(".webp", gradient(20, 10), {cv::IMWRITE_WEBP_QUALITY, 80});
  ASSERT_EQ(lossy[15], ' ');
  std::fill(lossy.begin() + 26, lossy.begin() + 30, uint8_t{0xFF});
  EXPECT_EQ(decoded(lossy).reason, "16383x16383 pixels are more than the limit of 64000000");
}

// BMP.

File bmp_of(int32_t width, int32_t height, int bits, uint32_t compression, const File& pixels) {
  File file;
  append(file, "BM");
  append_number(file, 54 + pixels.size(), 4, false);
  append_number(file, 0, 4, false);
  append_number(file, 54, 4, false);
  append_number(file, 40, 4, false);
  append_number(file, static_cast<uint32_t>(width), 4, false);
  append_number(file, static_cast<uint32_t>(height), 4, false);
  append_number(file, 1, 2, false);
  append_number(file, static_cast<uint64_t>(bits), 2, false);
  append_number(file, compression, 4, false);
  for (int i = 0; i < 5; ++i) append_number(file, 0, 4, false);
  append(file, pixels);
  return file;
}

TEST(PhotoBmp, TheSpareByteIsNoAlpha) {
  const File file = bmp_of(2, 1, 32, 0, {1, 2, 3, 0, 4, 5, 6, 0});
  EXPECT_TRUE(same_pixels(decode_bmp(file, {}, kSky).pixels, one_row({{1, 2, 3}, {4, 5, 6}})));
  expect_no_cut_accepted(file);
}

TEST(PhotoBmp, RowsComeFromBelowOrAbove) {
  const File rows = {1, 1, 1, 0, 2, 2, 2, 0};
  EXPECT_EQ(decode_bmp(bmp_of(1, 2, 24, 0, rows), {}, kSky).pixels.at<cv::Vec3b>(0, 0)[0], 2);
  EXPECT_EQ(decode_bmp(bmp_of(1, -2, 24, 0, rows), {}, kSky).pixels.at<cv::Vec3b>(0, 0)[0], 1);
}

TEST(PhotoBmp, BadSizesAreRefusedFromTheHeader) {
  const File rows(8, 1);
  for (const auto& [width, height] : {std::pair<int32_t, int32_t>{1, INT32_MIN},
                                      {INT32_MAX, INT32_MAX},
                                      {INT32_MIN, 1},
                                      {-1, 1},
                                      {0, 1},
                                      {1, 0},
                                      {20000, -20000},
                                      {20000, 20000},
                                      {2, 2}}) {
    EXPECT_TRUE(decoded(bmp_of(width, height, 24, 0, rows)).refused) << width << " x " << height;
  }
  EXPECT_THAT(decoded(bmp_of(2, 1, 8, 1, rows)).reason, HasSubstr("compressed"));
  EXPECT_TRUE(decoded(bmp_of(2, 1, 0, 0, rows)).refused);
  EXPECT_TRUE(decoded(bmp_of(2, 1, 65535, 0, rows)).refused);
}

// TIFF.

std::vector<int> as_rgb(const cv::Mat& bgr, int factor = 1) {
  std::vector<int> samples;
  for (int y = 0; y < bgr.rows; ++y) {
    for (int x = 0; x < bgr.cols; ++x) {
      for (int c = 2; c >= 0; --c) samples.push_back(bgr.at<cv::Vec3b>(y, x)[c] * factor);
    }
  }
  return samples;
}

TEST(PhotoTiff, EveryOrientationComesUprightOnce) {
  const cv::Mat photo = gradient(6, 4);
  for (const bool big : {false, true}) {
    for (const int bits : {8, 16}) {
      for (const int rows_per_strip : {1, 3, 4}) {
        for (int orientation = 1; orientation <= 8; ++orientation) {
          const File file = TiffMaker{.width = 6,
                                      .height = 4,
                                      .bits = bits,
                                      .rows_per_strip = rows_per_strip,
                                      .big = big,
                                      .more = {{274, orientation}}}
                                .finish(as_rgb(photo, bits == 8 ? 1 : 257));
          const StoredPhoto stored = decode_tiff(file, {}, kWhite);
          ASSERT_TRUE(same_pixels(upright(stored.pixels, stored.orientation),
                                  upright_by_definition(photo, orientation)))
              << "orientation " << orientation << ", " << bits << " bits, " << rows_per_strip
              << " rows a strip";
        }
      }
    }
  }
}

TEST(PhotoTiff, AlphaIsMultipliedOnce) {
  constexpr int kStraight = 2, kAssociated = 1;
  for (const int bits : {8, 16}) {
    const int factor = bits == 8 ? 1 : 257;
    const TiffMaker maker{.width = 1, .height = 1, .bits = bits, .samples = 4};
    TiffMaker straight = maker, associated = maker;
    straight.more = {{338, kStraight}};
    associated.more = {{338, kAssociated}};
    const std::vector<int> rgba = {200 * factor, 100 * factor, 50 * factor, 102 * factor};
    const std::vector<int> multiplied = {80 * factor, 40 * factor, 20 * factor, 102 * factor};
    const cv::Mat expected = one_row({over({50, 100, 200}, 102, kSky)});
    EXPECT_TRUE(same_pixels(decode_tiff(straight.finish(rgba), {}, kSky).pixels, expected)) << bits;
    EXPECT_TRUE(same_pixels(decode_tiff(associated.finish(multiplied), {}, kSky).pixels, expected)) << bits;
  }
}

TEST(PhotoTiff, Grey) {
  const TiffMaker black{.width = 2, .height = 1, .samples = 1, .colours = 1};
  EXPECT_TRUE(same_pixels(decode_tiff(black.finish({5, 250}), {}, kSky).pixels,
                          one_row({{5, 5, 5}, {250, 250, 250}})));
  TiffMaker white = black;
  white.colours = 0;
  EXPECT_TRUE(same_pixels(decode_tiff(white.finish({5, 250}), {}, kSky).pixels,
                          one_row({{250, 250, 250}, {5, 5, 5}})));
}

TEST(PhotoTiff, KindsThatAreNotReadAreRefused) {
  const TiffMaker good{.width = 2, .height = 1};
  const std::vector<int> samples(6, 9);
  ASSERT_FALSE(decoded(good.finish(samples)).refused) << decoded(good.finish(samples)).reason;
  constexpr int kBits = 258, kCompression = 259, kColours = 262, kSamples = 277, kFormat = 339;
  for (const auto& [tag, value] : {std::pair{kBits, 12},
                                   {kCompression, 6},
                                   {kCompression, 4},
                                   {kColours, 5},
                                   {kColours, 6},
                                   {kSamples, 2},
                                   {kSamples, 5},
                                   {kFormat, 3}}) {
    TiffMaker odd = good;
    odd.more = {{tag, value}};
    EXPECT_THAT(decoded(odd.finish(samples)).reason, HasSubstr("convert it to PNG")) << tag << " " << value;
  }
}

TEST(PhotoTiff, BadSizesAndStripsAreRefused) {
  const std::vector<int> samples(6, 9);
  const auto reason = [&samples](TiffMaker maker, int tag, int value) {
    maker.more = {{tag, value}};
    return decoded(maker.finish(samples)).reason;
  };
  const TiffMaker good{.width = 1, .height = 2};
  EXPECT_THAT(reason(good, 256, 0), HasSubstr("0x2 pixels"));
  EXPECT_THAT(reason(good, 256, 60000), HasSubstr("pixels are missing"));
  EXPECT_THAT(reason(good, 257, 3), HasSubstr("strips"));
  EXPECT_THAT(reason(good, 278, 0), HasSubstr("strips"));
  EXPECT_THAT(reason(good, 279, 3), HasSubstr("strips"));
  EXPECT_THAT(reason({.width = 1, .height = 2, .rows_per_strip = 2}, 279, 3),
              HasSubstr("pixels are missing"));
  TiffMaker huge = good;
  huge.more = {{256, 60000}, {257, 60000}};
  EXPECT_THAT(decoded(huge.finish(samples)).reason, HasSubstr("limit of 64000000"));
}

TEST(PhotoTiff, DirectoriesThatPointNowhereAreRefused) {
  for (const uint32_t start : {0U, 5U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    File file;
    append(file, "II");
    append_number(file, 42, 2, false);
    append_number(file, start, 4, false);
    EXPECT_TRUE(decoded(file).refused) << start;
  }
}

}  // namespace
}  // namespace lookalike
