#include "engine/compact.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "engine/sketch.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

// 24 codes in double are 555 kB: they stay in the second-level cache while the directions pass.
constexpr int64_t kCodesAtOnce = 24;

// Numbers of the sample that directions are fitted to, and of what it is along them: 134 MB, some 10,000
// codes of 2,888.
constexpr int64_t kSampleNumbers = int64_t{1} << 25;

// A direction beyond the rank of the codes is orthogonal to them up to the rounding of its floats, so a share
// of about 2^-24 of the largest deviation leaks into it. What is less than 2^-20 of that is such a leak.
constexpr double kLeastDeviation = 0x1p-20;

// Centring and projecting err by (D + 2) 2^-53 of the lengths of code and mean, 2^-40 for D = 8,000. A
// projection not much longer than that is rounding.
constexpr double kLeastLength = 0x1p-36;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

struct MeanAndSample {
  std::vector<double> mean;   // (D)
  std::vector<float> sample;  // (S, D), evenly spread
};

// Sums of differences from the first code: where all are equal the mean is that code, to the bit.
MeanAndSample mean_and_sample(const CodeSource& codes, int64_t dimension, int64_t components) {
  const int64_t wanted = std::clamp<int64_t>(kSampleNumbers / (dimension + 2 * components), 1, codes.rows);
  MeanAndSample result;
  result.sample.reserve(as_size(wanted * dimension));
  std::vector<double> first, sum(as_size(dimension));
  int64_t taken = 0;
  codes.for_each_block([&](int64_t first_row, std::span<const float> block) {
    const int64_t count = std::ssize(block) / dimension;
    if (first.empty()) first.assign(block.begin(), block.begin() + dimension);
    for (int64_t r = 0; r < count; ++r) {
      const float* code = block.data() + r * dimension;
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(code[i]) - first[i];
      // Row floor(taken rows / wanted) of the catalog, in parts so that no product passes 64 bits.
      const int64_t next = taken * (codes.rows / wanted) + taken * (codes.rows % wanted) / wanted;
      if (taken == wanted || first_row + r != next) continue;
      result.sample.insert(result.sample.end(), code, code + dimension);
      ++taken;
    }
  });
  result.mean.resize(sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    result.mean[i] = TwoFloats(first[i] + sum[i] / static_cast<double>(codes.rows)).sum();
  }
  return result;
}

// Of all codes along the directions; the mean of each is 0.
std::vector<float> deviations(const CodeSource& codes, const Compactor& projector, ThreadPool& pool) {
  const int64_t d = projector.projection().dimension, m = projector.projection().components();
  std::vector<double> squares(as_size(m)), along;
  codes.for_each_block([&](int64_t, std::span<const float> block) {
    const int64_t count = std::ssize(block) / d;
    along.resize(as_size(count * m));
    projector.project(block, pool, along);
    for (int64_t i = 0; i < count * m; ++i) {
      squares[as_size(i % m)] += along[as_size(i)] * along[as_size(i)];
    }
  });
  const double largest = *std::max_element(squares.begin(), squares.end());
  std::vector<float> deviations(as_size(m));
  for (std::size_t j = 0; j < squares.size(); ++j) {
    if (squares[j] <= largest * kLeastDeviation * kLeastDeviation) continue;
    const double deviation = std::sqrt(squares[j] / static_cast<double>(codes.rows));
    // A sum over D floats may pass what a float holds.
    deviations[j] = static_cast<float>(std::min(deviation, double{std::numeric_limits<float>::max()}));
  }
  return deviations;
}

}  // namespace

CompactProjection fit_compact(const CodeSource& codes, int64_t dimension, int64_t components,
                              ThreadPool& pool, const std::function<void()>& step) {
  if (codes.rows < 1 || components < 1 || components > dimension) {
    throw std::invalid_argument("compact codes need codes (rows, D) and at most D components");
  }
  CompactProjection projection;
  projection.dimension = dimension;
  {
    MeanAndSample of = mean_and_sample(codes, dimension, components);
    projection.mean = std::move(of.mean);
    projection.directions = fit_projection(of.sample, dimension, components, pool, step).directions;
  }
  projection.deviations.assign(as_size(components), 1.0F);
  projection.deviations = deviations(codes, Compactor(projection), pool);
  return projection;
}

Compactor::Compactor(CompactProjection projection) : projection_(std::move(projection)) {
  const int64_t d = projection_.dimension, m = projection_.components();
  if (d < 1 || m < 1 || m > d || std::ssize(projection_.mean) != d ||
      std::ssize(projection_.directions) != m * d) {
    throw std::invalid_argument("a compact projection is not (m, D) with a mean of D and m deviations");
  }
  const auto finite = [](auto value) { return std::isfinite(value); };
  if (!std::ranges::all_of(projection_.mean, finite) ||
      !std::ranges::all_of(projection_.directions, finite) ||
      !std::ranges::all_of(projection_.deviations,
                           [](float value) { return std::isfinite(value) && value >= 0; })) {
    throw std::invalid_argument("a compact projection is not finite, or a deviation is negative");
  }
  directions_.assign(projection_.directions.begin(), projection_.directions.end());
}

void Compactor::project(std::span<const float> codes, ThreadPool& pool, std::span<double> along) const {
  const int64_t d = projection_.dimension, m = projection_.components();
  const int64_t count = std::ssize(codes) / d;
  if (std::ssize(codes) != count * d || std::ssize(along) != count * m) {
    throw std::invalid_argument("codes and their projections do not belong together");
  }
  std::vector<std::vector<double>> scratch(as_size(pool.threads()));
  pool.for_each((count + kCodesAtOnce - 1) / kCodesAtOnce, [&](int64_t i, int thread) {
    std::vector<double>& centred = scratch[as_size(thread)];
    centred.resize(as_size(kCodesAtOnce * d));
    const int64_t first = i * kCodesAtOnce, some = std::min(kCodesAtOnce, count - first);
    for (int64_t n = 0; n < some * d; ++n) {
      centred[as_size(n)] =
          static_cast<double>(codes[as_size(first * d + n)]) - projection_.mean[as_size(n % d)];
    }
    cpu::dot_products(centred.data(), some, directions_.data(), m, d, along.data() + first * m);
  });
}

void Compactor::compact(std::span<const float> codes, ThreadPool& pool, std::span<float> out) const {
  const int64_t d = projection_.dimension, m = projection_.components();
  std::vector<double> along(out.size());
  project(codes, pool, along);
  double mean_square = 0;
  for (const double value : projection_.mean) mean_square += value * value;
  for (int64_t r = 0; r < std::ssize(codes) / d; ++r) {
    double code_square = 0, square = 0, white_square = 0;
    for (int64_t i = 0; i < d; ++i) {
      const auto value = static_cast<double>(codes[as_size(r * d + i)]);
      code_square += value * value;
    }
    const std::span<double> y = std::span(along).subspan(as_size(r * m), as_size(m));
    for (std::size_t j = 0; j < y.size(); ++j) {
      const auto deviation = static_cast<double>(projection_.deviations[j]);
      if (deviation > 0) square += y[j] * y[j];
      y[j] = deviation > 0 ? y[j] / deviation : 0;
      white_square += y[j] * y[j];
    }
    const bool nothing = square <= kLeastLength * kLeastLength * (code_square + mean_square);
    const double scale = nothing ? 0 : 1 / std::sqrt(white_square);
    for (std::size_t j = 0; j < y.size(); ++j) {
      out[as_size(r * m) + j] = static_cast<float>(y[j] * scale);
    }
  }
}

}  // namespace lookalike
