#include <gmock/gmock.h>

#include "host/photo_decode.h"
#include "tests/host/jpeg_maker.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::HasSubstr;
using namespace lookalike::testing;

constexpr int kClose = 4;  // levels that flat JPEG colours may be off

File small_jpeg(const std::vector<int>& options = {}) { return encoded(".jpg", gradient(40, 24), options); }

// A 4-channel JPEG of one colour, inks given as stored.
File cmyk_jpeg(const std::array<uint8_t, 4>& stored, J_COLOR_SPACE space, bool adobe) {
  std::vector<uint8_t> row;
  for (int x = 0; x < 32; ++x) row.insert(row.end(), stored.begin(), stored.end());
  return jpeg_by_libjpeg(
      [&](jpeg_compress_struct& info) {
        info.input_components = 4;
        info.in_color_space = JCS_CMYK;
        jpeg_set_defaults(&info);
        jpeg_set_colorspace(&info, space);
        jpeg_set_quality(&info, 95, TRUE);
        info.write_Adobe_marker = adobe ? TRUE : FALSE;
      },
      row);
}

void expect_flat(const Outcome& outcome, const cv::Vec3b& colour) {
  ASSERT_FALSE(outcome.refused) << outcome.reason;
  const cv::Mat expected(outcome.pixels.size(), CV_8UC3, cv::Scalar(colour[0], colour[1], colour[2]));
  EXPECT_LE(cv::norm(outcome.pixels, expected, cv::NORM_INF), kClose)
      << "got " << outcome.pixels.at<cv::Vec3b>(75, 75);
}

// Overwrites the frame header's height and width.
File with_jpeg_size(File file, uint32_t width, uint32_t height) {
  for (size_t at = 2; at + 9 < file.size();) {
    const uint8_t marker = file[at + 1];
    if (marker == 0xC0 || marker == 0xC2) {
      for (size_t i = 0; i < 2; ++i) {
        file[at + 5 + i] = static_cast<uint8_t>(height >> (8 - 8 * i));
        file[at + 7 + i] = static_cast<uint8_t>(width >> (8 - 8 * i));
      }
      return file;
    }
    at += 2 + (file[at + 2] << 8 | file[at + 3]);
  }
  throw std::runtime_error("no frame header");
}

TEST(PhotoJpeg, NoCutIsAccepted) {
  expect_no_cut_accepted(small_jpeg());
  expect_no_cut_accepted(small_jpeg({cv::IMWRITE_JPEG_PROGRESSIVE, 1}));
  expect_no_cut_accepted(small_jpeg({cv::IMWRITE_JPEG_RST_INTERVAL, 1}));
  cv::Mat grey;
  cv::extractChannel(gradient(40, 24), grey, 0);
  expect_no_cut_accepted(encoded(".jpg", grey));
}

TEST(PhotoJpeg, NoCutOfAReducedPhotoIsAccepted) {
  const File file = encoded(".jpg", gradient(320, 320), {cv::IMWRITE_JPEG_QUALITY, 20});
  ASSERT_FALSE(decoded(file).refused);
  for (size_t size = 0; size < file.size(); size += 7) {
    ASSERT_TRUE(decoded(File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))).refused)
        << size;
  }
}

TEST(PhotoJpeg, SaysThatItIsDamaged) {
  File file = small_jpeg();
  file.resize(file.size() - 2);  // only the end mark is gone
  EXPECT_EQ(decoded(file).reason, "damaged JPEG: Premature end of JPEG file");
}

TEST(PhotoJpeg, BytesAfterTheEndDoNotMatter) {
  File file = small_jpeg();
  const cv::Mat before = decoded(file).pixels;
  append(file, "a maker's own trailer");
  EXPECT_TRUE(same_pixels(decoded(file).pixels, before));
}

TEST(PhotoJpeg, HugeSizesAreRefusedFromTheHeader) {
  for (const auto& options : {std::vector<int>{}, std::vector<int>{cv::IMWRITE_JPEG_PROGRESSIVE, 1}}) {
    const File file = with_jpeg_size(small_jpeg(options), 20000, 20000);
    EXPECT_EQ(decoded(file).reason, "20000x20000 pixels are more than the limit of 64000000");
    EXPECT_TRUE(decoded(with_jpeg_size(small_jpeg(options), 65500, 65500)).refused);
    EXPECT_TRUE(decoded(with_jpeg_size(small_jpeg(options), 0, 100)).refused);
    EXPECT_TRUE(decoded(with_jpeg_size(small_jpeg(options), 100, 0)).refused);
  }
}

TEST(PhotoJpeg, TakesThePixelLimitItself) {
  PhotoLimits limits;
  limits.pixels = 40 * 24;
  EXPECT_FALSE(decoded(small_jpeg(), {}, limits).refused);
  limits.pixels = 40 * 24 - 1;
  EXPECT_TRUE(decoded(small_jpeg(), {}, limits).refused);
}

TEST(PhotoJpeg, ScansAreLimited) {
  const File file = small_jpeg({cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  PhotoLimits limits;
  limits.jpeg_scans = 3;
  EXPECT_EQ(decoded(file, {}, limits).reason, "JPEG of more than 3 scans");
  EXPECT_FALSE(decoded(file).refused);
}

TEST(PhotoJpeg, GreyBecomesThreeEqualChannels) {
  expect_flat(decoded(encoded(".jpg", cv::Mat(32, 32, CV_8UC1, cv::Scalar(77)))), {77, 77, 77});
}

TEST(PhotoJpeg, ChannelsAreBlueGreenRed) {
  expect_flat(decoded(encoded(".jpg", cv::Mat(32, 32, CV_8UC3, cv::Scalar(200, 100, 30)))), {200, 100, 30});
}

TEST(PhotoJpeg, InksBecomeTheirColours) {
  const cv::Vec3b orange_in_bgr = {51, 128, 204};  // 20 % of the light held back by black
  const std::array<uint8_t, 4> inks = {0, 95, 191, 51};
  std::array<uint8_t, 4> inverted;
  for (size_t i = 0; i < 4; ++i) inverted[i] = static_cast<uint8_t>(255 - inks[i]);
  expect_flat(decoded(cmyk_jpeg(inks, JCS_CMYK, false)), orange_in_bgr);
  expect_flat(decoded(cmyk_jpeg(inverted, JCS_CMYK, true)), orange_in_bgr);
  expect_flat(decoded(cmyk_jpeg(inverted, JCS_YCCK, true)), orange_in_bgr);
}

TEST(PhotoJpeg, EveryOrientationComesUpright) {
  const cv::Mat stored = gradient(300, 160);
  const File file = encoded(".jpg", stored, {cv::IMWRITE_JPEG_QUALITY, 100});
  for (uint32_t orientation = 1; orientation <= 8; ++orientation) {
    const bool swapped = orientation >= 5;
    const cv::Mat turned = upright_by_definition(stored, static_cast<int>(orientation));
    const Outcome expected = decoded(encoded(".png", turned));
    for (const bool big : {false, true}) {
      const Outcome outcome = decoded(with_exif(file, exif_block(orientation, big)));
      ASSERT_FALSE(outcome.refused) << outcome.reason;
      EXPECT_EQ(outcome.photo.width, swapped ? 160 : 300);
      EXPECT_EQ(outcome.photo.height, swapped ? 300 : 160);
      EXPECT_LT(cv::norm(outcome.pixels, expected.pixels, cv::NORM_L1) / kImageBytes, 3.0)
          << "orientation " << orientation;
    }
  }
}

TEST(PhotoJpeg, AnOrientationThatSaysNothingIsUpright) {
  const File jpeg = small_jpeg();
  const cv::Mat plain = decoded(jpeg).pixels;
  File cut = exif_block(6);
  cut.resize(cut.size() - 8);
  File far_away = exif_block(6);
  far_away[4] = 0xF0;
  const std::vector<File> blocks = {exif_block(0),
                                    exif_block(9),
                                    exif_block(65535),
                                    exif_block(6, false, 2),
                                    exif_block(6, false, 3, 2),
                                    cut,
                                    far_away,
                                    File{},
                                    File{'I', 'I'},
                                    File{'X', 'X', 42, 0},
                                    File(4, 0xFF),
                                    exif_block(6, true, 4, 0x40000000)};
  for (const File& block : blocks) {
    const Outcome outcome = decoded(with_exif(jpeg, block));
    ASSERT_FALSE(outcome.refused) << outcome.reason;
    EXPECT_TRUE(same_pixels(outcome.pixels, plain));
  }
}

TEST(PhotoJpeg, ReducedDecodingLooksLikeFullDecoding) {
  const File file = encoded(".jpg", gradient(1300, 700), {cv::IMWRITE_JPEG_QUALITY, 95});
  for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
    const StoredPhoto reduced = decode_jpeg(file, {}, fit), full = decode_jpeg(file, {}, std::nullopt);
    EXPECT_LT(reduced.pixels.cols, 700);
    EXPECT_EQ(reduced.width, 1300);
    EXPECT_EQ(reduced.height, 700);
    EXPECT_EQ(full.pixels.size(), cv::Size(1300, 700));
  }
  const cv::Mat through_png = decoded(encoded(".png", gradient(1300, 700))).pixels;
  EXPECT_LT(cv::norm(decoded(file).pixels, through_png, cv::NORM_L1) / kImageBytes, 3.0);
}

TEST(PhotoJpeg, TheSameBytesGiveTheSamePixels) {
  const File file = encoded(".jpg", gradient(333, 217));
  const Outcome first = decoded(file), second = decoded(file);
  EXPECT_TRUE(same_pixels(first.pixels, second.pixels));
  EXPECT_EQ(first.photo.content_hash, second.photo.content_hash);
  EXPECT_NE(first.photo.content_hash, decoded(small_jpeg()).photo.content_hash);
}

TEST(PhotoJpeg, AnyChangedByteIsRefusedOrDecoded) {
  const File whole = with_exif(small_jpeg({cv::IMWRITE_JPEG_PROGRESSIVE, 1}), exif_block(6));
  for (size_t at = 0; at < whole.size(); ++at) {
    File file = whole;
    file[at] = static_cast<uint8_t>(file[at] ^ (1U << (at % 8)));
    const Outcome outcome = decoded(file);
    ASSERT_TRUE(!outcome.refused || all_zero(outcome.pixels)) << at;
  }
}

}  // namespace
}  // namespace lookalike
