#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "engine/sketch.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

// 24 codes are 277 kB: they stay in the second-level cache while the directions pass.
constexpr int64_t kCodesAtOnce = 24;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

double square_of(std::span<const float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
  return square;
}

struct Buffers {
  std::vector<float> centred, along;  // (kCodesAtOnce, D), (kCodesAtOnce, some directions)
};

}  // namespace

void Sketcher::sketch_fast(std::span<const float> codes, ThreadPool& pool, std::span<float> sketches,
                           std::span<double> errors) const {
  const int64_t d = projection_.dimension, m = projection_.components(), count = std::ssize(errors);
  if (std::ssize(codes) != count * d || std::ssize(sketches) != count * size()) {
    throw std::invalid_argument("codes, sketches and errors do not belong together");
  }
  const int64_t batches = (count + kCodesAtOnce - 1) / kCodesAtOnce;
  const int64_t parts = batches == 1 ? std::min<int64_t>(pool.threads(), m) : 1;
  const auto finish = [&](int64_t r) {
    errors[as_size(r)] =
        finish_fast(codes.data() + r * d, sketches.subspan(as_size(r * size()), as_size(size())));
  };
  std::vector<Buffers> buffers(as_size(pool.threads()));
  pool.for_each(batches * parts, [&](int64_t i, int thread) {
    const int64_t first = i / parts * kCodesAtOnce, some = std::min(kCodesAtOnce, count - first);
    const int64_t begin = i % parts * m / parts, wide = (i % parts + 1) * m / parts - begin;
    auto& [centred, along] = buffers[static_cast<std::size_t>(thread)];
    centred.resize(as_size(some * d));
    along.resize(as_size(some * wide));
    for (int64_t r = 0; r < some; ++r) {
      const float* code = codes.data() + (first + r) * d;
      for (int64_t j = 0; j < d; ++j) {
        centred[as_size(r * d + j)] = code[j] - projection_.mean[static_cast<std::size_t>(j)];
      }
    }
    cpu::dot_products(centred.data(), some, projection_.directions.data() + begin * d, wide, d, along.data());
    for (int64_t r = 0; r < some; ++r) {
      std::copy_n(along.data() + r * wide, wide, sketches.data() + (first + r) * size() + begin);
      if (parts == 1) finish(first + r);
    }
  });
  if (parts == 1) return;
  for (int64_t r = 0; r < count; ++r) finish(r);
}

// With u = 2^-24, c the centred code, e the bound of a dot product of floats, d = |P^T P - I|:
//   |c^ - c| <= u |c|                                    in float
//   |p^ - p| <= sqrt(m) e + sqrt(1 + d) u |c| = A
//   r^2 = |c|^2 - |p|^2 + p^T (P^T P - I) p
//   |r^2 - (|c|^2 - |p^|^2)| <= A (2 |p^| + A) + d (|p^| + A)^2 + 2^-38 |c|^2 = B    the last by double
//   |r^ - r| <= min(sqrt(B), B / r^)                     as r^^2 - r^2 = (r^ - r)(r^ + r)
// To these comes what storing r as float loses.
double Sketcher::finish_fast(const float* code, std::span<float> sketch) const {
  const int64_t d = projection_.dimension;
  constexpr double kFloatUnit = 0x1p-24;
  const double square = cpu::squared_distance(code, projection_.mean.data(), d);
  const double length = std::sqrt(square), longest = std::sqrt(spread_) * length, defect = spread_ - 1;
  const double product = cpu::dot_product_error(d, longest * (1 + 2 * kFloatUnit));
  const double along_error =
      std::sqrt(static_cast<double>(projection_.components())) * product + kFloatUnit * longest;
  const double along_square = square_of(sketch.first(sketch.size() - 1));
  const double along = std::sqrt(along_square);
  const double rest = std::sqrt(std::max(0.0, square - along_square));
  const double apart = along_error * (2 * along + along_error) +
                       defect * (along + along_error) * (along + along_error) + 0x1p-38 * square;
  const double rest_error = std::min(std::sqrt(apart), rest > 0 ? apart / rest : HUGE_VAL);
  sketch.back() = static_cast<float>(rest);
  const double error = (along_error + rest_error + kFloatUnit * rest + 0x1p-149) * (1 + 0x1p-30);
  // A sum that is not finite makes its square so; NaN fails both comparisons.
  if (along_square <= DBL_MAX && rest <= static_cast<double>(std::numeric_limits<float>::max()) &&
      error <= DBL_MAX) {
    return error;
  }
  std::fill(sketch.begin(), sketch.end(), 0.0F);
  return HUGE_VAL;
}

}  // namespace lookalike
