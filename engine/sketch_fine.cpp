#include "engine/sketch_fine.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "engine/rank.h"
#include "kernels/cpu/sketch_distance.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

constexpr double kLargest = 127;
constexpr std::size_t kUnclippedPercent = 99;
// A query's 127 of them, less a row's, fit in a float.
constexpr float kMostStep = 0x1p120F;

// f of number i.
double held(float number, float centre, float step) {
  const double reach = kLargest * static_cast<double>(step);
  return std::clamp(static_cast<double>(number) - static_cast<double>(centre), -reach, reach);
}

}  // namespace

FineSketcher::FineSketcher(std::vector<float> centre, std::vector<float> step)
    : centre_(std::move(centre)), step_(std::move(step)) {
  const auto finite = [](float value) { return std::isfinite(value); };
  const auto length = [](float value) { return value >= 0 && value <= kMostStep; };
  if (centre_.empty() || std::ssize(centre_) > cpu::kMostSketchBytes || step_.size() != centre_.size() ||
      !std::all_of(centre_.begin(), centre_.end(), finite) ||
      !std::all_of(step_.begin(), step_.end(), length)) {
    throw std::invalid_argument("fine sketches need a finite centre and steps from 0 to 2^120");
  }
  double square = 0;
  for (const float value : step_) square += static_cast<double>(value) * static_cast<double>(value);
  // A query's numbers are within 127 steps, too, and rounded to float.
  rounding_ = 2 * cpu::sketch_distance_rounding(std::sqrt(square));
}

double FineSketcher::row(std::span<const float> sketch, int8_t* bytes) const {
  if (std::ssize(sketch) != size()) throw std::invalid_argument("a sketch does not fit its fine form");
  double lost = 0, square = 0;
  for (std::size_t i = 0; i < sketch.size(); ++i) {
    const auto step = static_cast<double>(step_[i]);
    const double inside = held(sketch[i], centre_[i], step_[i]);
    const double nearest = step > 0 ? std::clamp(std::nearbyint(inside / step), -kLargest, kLargest) : 0.0;
    bytes[i] = static_cast<int8_t>(nearest);
    const double apart = inside - nearest * step;
    lost += apart * apart;
    square += inside * inside;
  }
  // `inside` is off by 2^-53 of itself, the sums by far less than the second factor.
  return (std::sqrt(lost) + 0x1p-50 * std::sqrt(square)) * (1 + 0x1p-30);
}

void FineSketcher::query(std::span<const float> sketch, std::span<float> numbers) const {
  if (std::ssize(sketch) != size() || numbers.size() != sketch.size()) {
    throw std::invalid_argument("a sketch does not fit its fine form");
  }
  for (std::size_t i = 0; i < sketch.size(); ++i) {
    numbers[i] = static_cast<float>(held(sketch[i], centre_[i], step_[i]));
  }
}

FineSketcher fit_fine_sketcher(std::span<const float> sample, int64_t size) {
  const int64_t count = size > 0 ? std::ssize(sample) / size : 0;
  if (count < 1 || count * size != std::ssize(sample)) {
    throw std::invalid_argument("fine sketches need a sample (S, size)");
  }
  std::vector<float> centre, step;
  std::vector<double> values(static_cast<std::size_t>(count));
  for (int64_t i = 0; i < size; ++i) {
    const auto at = [&](int64_t r) {
      return static_cast<double>(sample[static_cast<std::size_t>(r * size + i)]);
    };
    for (int64_t r = 0; r < count; ++r) values[static_cast<std::size_t>(r)] = at(r);
    const double median = value_at_percent(values, 50);
    for (double& value : values) value = std::abs(value - median);
    double reach = value_at_percent(values, kUnclippedPercent);
    if (!(reach > 0)) reach = *std::max_element(values.begin(), values.end());
    centre.push_back(static_cast<float>(median));
    step.push_back(static_cast<float>(std::min(reach / kLargest, static_cast<double>(kMostStep))));
  }
  return {std::move(centre), std::move(step)};
}

}  // namespace lookalike
