#include "engine/sketch_blocks.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/cpu/sketch_scan.h"

namespace lookalike {

void sketch_block(const Sketcher& sketcher, std::span<const float> codes, ThreadPool& pool,
                  std::span<float> sketches, std::span<double> errors) {
  constexpr double kOrdinary = 8;  // times the median
  sketcher.sketch_fast(codes, pool, sketches, errors);
  if (errors.empty()) return;
  std::vector<double> sorted(errors.begin(), errors.end());
  const auto middle = sorted.begin() + std::ssize(sorted) / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  const double most = *middle * kOrdinary;
  const std::size_t d = codes.size() / errors.size(), size = sketches.size() / errors.size();
  std::vector<std::size_t> odd;
  std::vector<float> odd_codes;
  for (std::size_t r = 0; r < errors.size(); ++r) {
    if (errors[r] <= most) continue;
    odd.push_back(r);
    const auto code = codes.subspan(r * d, d);
    odd_codes.insert(odd_codes.end(), code.begin(), code.end());
  }
  if (odd.empty()) return;
  std::vector<float> odd_sketches(odd.size() * size);
  std::vector<double> odd_errors(odd.size());
  sketcher.sketch(odd_codes, pool, odd_sketches, odd_errors);
  for (std::size_t i = 0; i < odd.size(); ++i) {
    std::copy_n(odd_sketches.begin() + static_cast<std::ptrdiff_t>(i * size), size,
                sketches.begin() + static_cast<std::ptrdiff_t>(odd[i] * size));
    errors[odd[i]] = odd_errors[i];
  }
}

SketchBlockStorage pack_sketches(std::span<const float> sketches, std::span<const double> errors,
                                 const ByteSketcher& byte_sketcher, const FineSketcher& fine_sketcher) {
  constexpr int64_t kGroup = cpu::kSketchGroup;
  const int64_t rows = std::ssize(errors);
  if (rows < 1 || rows > kSketchBlockRows || std::ssize(sketches) % rows != 0) {
    throw std::invalid_argument("sketches and errors are not a block");
  }
  const std::size_t size = sketches.size() / static_cast<std::size_t>(rows);
  const int64_t groups = (rows + kGroup - 1) / kGroup, stored = byte_sketcher.stored();
  SketchBlockStorage block;
  block.rows = rows;
  block.bytes.assign(static_cast<std::size_t>(groups * stored * kGroup), 128);
  block.halves.assign(static_cast<std::size_t>(groups * kGroup), cpu::kNoRow);
  block.fine.resize(sketches.size());
  std::vector<int8_t> bytes(static_cast<std::size_t>(stored));
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = static_cast<std::size_t>(r);
    const auto sketch = sketches.subspan(row * size, size);
    const double lost = byte_sketcher.sketch(sketch, bytes.data());
    const double fine_lost = fine_sketcher.row(sketch, block.fine.data() + row * size);
    uint8_t* group = block.bytes.data() + r / kGroup * stored * kGroup + r % kGroup * 4;
    int32_t square = 0;
    for (int64_t i = 0; i < stored; ++i) {
      const int32_t value = bytes[static_cast<std::size_t>(i)];
      group[i / 4 * 4 * kGroup + i % 4] = static_cast<uint8_t>(128 + value);
      square += value * value;
    }
    block.halves[row] = -(square / 2);
    block.byte_error = std::max(block.byte_error, errors[row] + lost);
    block.fine_error = std::max(block.fine_error, errors[row] + fine_lost);
  }
  return block;
}

}  // namespace lookalike
