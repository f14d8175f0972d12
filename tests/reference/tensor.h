// One image's activation in double precision, for the specification in this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lookalike::reference {

struct Tensor {  // (H, W, C)
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<double> values;

  Tensor() = default;
  Tensor(int64_t h, int64_t w, int64_t c)
      : height(h), width(w), channels(c), values(static_cast<std::size_t>(h * w * c)) {}

  double& at(int64_t y, int64_t x, int64_t c) { return values[index(y, x, c)]; }
  double at(int64_t y, int64_t x, int64_t c) const { return values[index(y, x, c)]; }
  bool contains(int64_t y, int64_t x) const { return y >= 0 && y < height && x >= 0 && x < width; }

 private:
  std::size_t index(int64_t y, int64_t x, int64_t c) const {
    return static_cast<std::size_t>((y * width + x) * channels + c);
  }
};

}  // namespace lookalike::reference
