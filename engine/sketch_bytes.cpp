#include "engine/sketch_bytes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "engine/rank.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

constexpr double kLargest = 127;
constexpr auto kMostFloat = static_cast<double>(std::numeric_limits<float>::max());

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// Number i of t(sketch) with n numbers.
double number_of(std::span<const float> sketch, int64_t n, int64_t i) {
  if (i < n - 1) return static_cast<double>(sketch[as_size(i)]);
  double square = 0;
  for (const float value : sketch.subspan(as_size(n - 1))) {
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(square);
}

}  // namespace

ByteSketcher::ByteSketcher(std::vector<float> centre, double step) : centre_(std::move(centre)), step_(step) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (centre_.empty() || std::ssize(centre_) > cpu::kMostSketchBytes ||
      !std::all_of(centre_.begin(), centre_.end(), finite) || !(step > 0) || !std::isfinite(step)) {
    throw std::invalid_argument("8-bit sketches need a finite centre and a step above 0");
  }
  double farthest = 0;
  for (const float value : centre_) farthest = std::max(farthest, std::abs(static_cast<double>(value)));
  // A number that is not clipped is at most farthest + 127 step; its way through double, the length of up to
  // 8192 others among it, costs at most 2^-40 of that.
  rounding_ = std::sqrt(static_cast<double>(centre_.size())) * 0x1p-39 * (farthest + 128 * step);
}

double ByteSketcher::sketch(std::span<const float> sketch, int8_t* bytes) const {
  const int64_t n = numbers();
  if (std::ssize(sketch) < n || std::ssize(sketch) > cpu::kMostSketchBytes) {
    throw std::invalid_argument("a sketch does not fit its 8-bit form");
  }
  std::fill_n(bytes, stored(), int8_t{0});
  double lost = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double apart = number_of(sketch, n, i) - static_cast<double>(centre_[as_size(i)]);
    const double inside = std::clamp(apart / step_, -kLargest, kLargest);
    const double nearest = std::nearbyint(inside);
    bytes[i] = static_cast<int8_t>(nearest);
    lost += (inside - nearest) * (inside - nearest);
  }
  return step_ * std::sqrt(lost) * (1 + 0x1p-30) + rounding_;
}

ByteSketcher fit_byte_sketcher(std::span<const float> sample, int64_t size, int64_t numbers) {
  const int64_t count = size > 0 ? std::ssize(sample) / size : 0;
  const int64_t n = std::min(size, numbers);
  if (count < 1 || count * size != std::ssize(sample) || n < 1) {
    throw std::invalid_argument("8-bit sketches need a sample (S, size)");
  }
  std::vector<double> values(as_size(n * count));  // (n, S)
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < n; ++i) {
      values[as_size(i * count + r)] = number_of(sample.subspan(as_size(r * size), as_size(size)), n, i);
    }
  }
  std::vector<float> centre;
  std::vector<double> sorted, farthest(as_size(count));  // of each row's numbers from the centre
  for (int64_t i = 0; i < n; ++i) {
    const auto of_number = std::span(values).subspan(as_size(i * count), as_size(count));
    sorted.assign(of_number.begin(), of_number.end());
    const double median = value_at_percent(sorted, 50);
    // The length of numbers that fit in a float may not.
    centre.push_back(static_cast<float>(std::clamp(median, -kMostFloat, kMostFloat)));
    for (int64_t r = 0; r < count; ++r) {
      const double apart = std::abs(of_number[as_size(r)] - static_cast<double>(centre.back()));
      farthest[as_size(r)] = std::max(farthest[as_size(r)], apart);
    }
  }
  const double reach = value_at_percent(farthest, 50);
  return {std::move(centre), reach > 0 ? reach / kLargest : 1.0};
}

}  // namespace lookalike
