// Images and parameters for tests, the same for one seed on every machine.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/topology.h"

namespace lookalike::test {

// mt19937_64's numbers are fixed by the standard, those of its distributions are not.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  // [0, 1)
  double between(double low, double high) { return low + (high - low) * unit(); }
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }

 private:
  std::mt19937_64 engine_;
};

inline std::vector<float> random_floats(int64_t count, double low, double high, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.between(low, high));
  return values;
}

template <class From>
std::vector<double> doubles(const From& values) {
  return {std::begin(values), std::end(values)};
}

// Glorot-uniform kernels; biases in [-bias, bias].
inline std::vector<float> random_parameters(std::span<const Stage> stages, uint64_t seed, double bias = 0.1) {
  Random random(seed);
  std::vector<float> parameters;
  for (const Stage& stage : stages) {
    const double limit = std::sqrt(6.0 / (kTaps * (stage.in_channels + stage.out_channels)));
    for (int i = 0; i < stage.kernel_count(); ++i)
      parameters.push_back(static_cast<float>(random.between(-limit, limit)));
    for (int k = 0; k < stage.out_channels; ++k)
      parameters.push_back(static_cast<float>(random.between(-bias, bias)));
  }
  return parameters;
}

inline std::vector<uint8_t> random_image(uint64_t seed, int64_t count = kImageBytes) {
  Random random(seed);
  std::vector<uint8_t> image(static_cast<std::size_t>(count));
  for (uint8_t& byte : image) byte = static_cast<uint8_t>(random.below(256));
  return image;
}

struct NamedImage {
  std::string name;
  std::vector<uint8_t> bytes;  // (150, 150, 3)
};

inline NamedImage pixel_image(int y, int x) {
  NamedImage image{"one pixel at " + std::to_string(y) + ", " + std::to_string(x),
                   std::vector<uint8_t>(kImageBytes)};
  for (int c = 0; c < kImageChannels; ++c)
    image.bytes[static_cast<std::size_t>((y * kImageSize + x) * kImageChannels + c)] = 255;
  return image;
}

inline NamedImage checkered_image(int period) {
  NamedImage image{"checkerboard of " + std::to_string(period), {}};
  for (int y = 0; y < kImageSize; ++y)
    for (int x = 0; x < kImageSize; ++x)
      for (int c = 0; c < kImageChannels; ++c)
        image.bytes.push_back((y / period + x / period + c) % 2 == 0 ? 255 : 0);
  return image;
}

// Flat, periodic (every pool window a tie), lit only at borders and corners, and noise.
inline std::vector<NamedImage> awkward_images() {
  constexpr int kLast = kImageSize - 1;
  std::vector<NamedImage> images = {{"all 0", std::vector<uint8_t>(kImageBytes, 0)},
                                    {"all 255", std::vector<uint8_t>(kImageBytes, 255)},
                                    checkered_image(1),
                                    checkered_image(2),
                                    checkered_image(5)};
  for (const auto& [y, x] : std::array<std::array<int, 2>, 10>{{{0, 0},
                                                                {0, kLast},
                                                                {kLast, 0},
                                                                {kLast, kLast},
                                                                {0, 74},
                                                                {75, 0},
                                                                {kLast, 77},
                                                                {76, kLast},
                                                                {1, 148},
                                                                {74, 75}}})
    images.push_back(pixel_image(y, x));
  images.push_back({"noise, seed 11", random_image(11)});
  return images;
}

}  // namespace lookalike::test
