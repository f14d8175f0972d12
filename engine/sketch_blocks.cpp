#include "engine/sketch_blocks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/cpu/sketch_scan.h"

namespace lookalike {

SketchBlockStorage pack_sketches(std::span<const float> sketches, std::span<const double> errors) {
  constexpr int64_t kGroup = cpu::kSketchGroup;
  const int64_t rows = std::ssize(errors);
  if (rows < 1 || rows > kSketchBlockRows || std::ssize(sketches) % rows != 0) {
    throw std::invalid_argument("sketches and errors are not a block");
  }
  const int64_t size = std::ssize(sketches) / rows;
  const int64_t groups = (rows + kGroup - 1) / kGroup;
  SketchBlockStorage block;
  block.rows = rows;
  block.values.assign(static_cast<std::size_t>(groups * size * kGroup), 0.0F);
  block.halves.assign(static_cast<std::size_t>(groups * kGroup), -HUGE_VALF);
  for (int64_t r = 0; r < rows; ++r) {
    float* group = block.values.data() + r / kGroup * size * kGroup + r % kGroup;
    double square = 0;
    for (int64_t i = 0; i < size; ++i) {
      const float value = sketches[static_cast<std::size_t>(r * size + i)];
      group[i * kGroup] = value;
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    // A half that has no room in a float is -infinity; sketch_score_error then lets every row through.
    block.halves[static_cast<std::size_t>(r)] = static_cast<float>(-square / 2);
    block.longest = std::max(block.longest, std::sqrt(square) * (1 + 0x1p-40));
    block.error = std::max(block.error, errors[static_cast<std::size_t>(r)]);
  }
  return block;
}

}  // namespace lookalike
