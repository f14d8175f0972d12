// Decoding one 400x533 JPEG, the commonest size of shop photos, to 150x150: with libjpeg's reduced sizes and
// at full size. One thread; items are photos.
#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "host/photo.h"
#include "host/photo_decode.h"
#include "host/photo_fit.h"

namespace {

using lookalike::Fit;

// Smooth shapes with some grain, at the quality of cameras: about as many bytes as a photo has.
std::vector<uint8_t> make_jpeg(int width, int height) {
  cv::Mat photo(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double wave = std::sin(x * 0.05) * std::cos(y * 0.03);
      photo.at<cv::Vec3b>(y, x) = {cv::saturate_cast<uint8_t>(128 + 90 * wave + (x * 37 + y * 91) % 17),
                                   cv::saturate_cast<uint8_t>(120 + 60 * wave),
                                   cv::saturate_cast<uint8_t>(x * 255 / width)};
    }
  }
  std::vector<uint8_t> file;
  cv::imencode(".jpg", photo, file, {cv::IMWRITE_JPEG_QUALITY, 90});
  return file;
}

void bytes_to_pixels(benchmark::State& state, bool reduced) {
  cv::setNumThreads(1);
  const auto file = make_jpeg(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  std::vector<uint8_t> pixels(static_cast<size_t>(lookalike::kImageBytes));
  const lookalike::PhotoRule rule;
  for (auto _ : state) {
    const auto stored = lookalike::decode_jpeg(file, {}, reduced ? std::optional(rule.fit) : std::nullopt);
    lookalike::fit_photo(stored.pixels, stored.width, stored.height, rule, pixels.data());
    benchmark::DoNotOptimize(pixels.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["file_bytes"] = static_cast<double>(file.size());
}

BENCHMARK_CAPTURE(bytes_to_pixels, reduced, true)->Args({400, 533})->Args({1600, 1200})->Args({4000, 3000});
BENCHMARK_CAPTURE(bytes_to_pixels, full, false)->Args({400, 533})->Args({1600, 1200})->Args({4000, 3000});

}  // namespace
