#include "engine/sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

constexpr double kUnit = 0x1p-53;  // relative error of one operation in double

// 24 codes in double are 555 kB: they stay in the second-level cache while the directions pass.
constexpr int64_t kCodesAtOnce = 24;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

double dot(const double* a, const double* b, int64_t n) {
  double result = 0;
  cpu::dot_products(a, 1, b, 1, n, &result);
  return result;
}

// P^T P - I of directions (m, D), a few at a time in double: all would take twice as much as they do.
std::vector<double> defect_of(const std::vector<float>& directions, int64_t dimension) {
  constexpr int64_t kSome = 32;
  const int64_t m = static_cast<int64_t>(directions.size()) / dimension;
  std::vector<double> defect(as_size(m * m)), products(as_size(kSome * kSome));
  const auto some_of = [&](int64_t first) {
    const auto begin = directions.begin() + first * dimension;
    return std::vector<double>(begin, begin + std::min(kSome, m - first) * dimension);
  };
  for (int64_t a = 0; a < m; a += kSome) {
    const std::vector<double> left = some_of(a);
    for (int64_t b = 0; b < m; b += kSome) {
      const std::vector<double> right = some_of(b);
      const int64_t lefts = std::min(kSome, m - a), rights = std::min(kSome, m - b);
      cpu::dot_products(left.data(), lefts, right.data(), rights, dimension, products.data());
      for (int64_t i = 0; i < lefts; ++i) {
        std::copy_n(products.data() + i * rights, rights, defect.data() + (a + i) * m + b);
      }
    }
  }
  for (int64_t j = 0; j < m; ++j) defect[as_size(j * m + j)] -= 1.0;
  return defect;
}

}  // namespace

struct Sketcher::Scratch {
  std::vector<double> centred;  // (kCodesAtOnce, D)
  std::vector<double> along;    // (kCodesAtOnce, m)
  std::vector<double> bent;     // (kCodesAtOnce, m): defect times along
};

Sketcher::Sketcher(SketchProjection projection) : projection_(std::move(projection)) {
  const int64_t d = projection_.dimension, m = d > 0 ? projection_.components() : 0;
  if (d < 1 || d > kMostSketchedDimension || m < 1 || m > d || std::ssize(projection_.mean) != d ||
      std::ssize(projection_.directions) != m * d) {
    throw std::invalid_argument("a sketch's projection is not (m, D) with a mean of D");
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(projection_.mean.begin(), projection_.mean.end(), finite) ||
      !std::all_of(projection_.directions.begin(), projection_.directions.end(), finite)) {
    throw std::invalid_argument("a sketch's projection is not finite");
  }
  defect_ = defect_of(projection_.directions, d);
  double square = 0, longest = 0;
  for (int64_t j = 0; j < m; ++j) longest = std::max(longest, 1 + defect_[as_size(j * m + j)]);
  for (const double value : defect_) square += value * value;
  // Each of the m^2 dot products errs by at most (D + 1) 2^-53 1.01 times its lengths.
  const double rounding = 1.1 * static_cast<double>(m * (d + 1)) * kUnit * longest;
  // The sum of m^2 squares has as many roundings.
  const double defect = std::sqrt(square) * (1 + static_cast<double>(m * m) * kUnit) + rounding;
  spread_ = 1 + defect;
  stretch_ = std::sqrt(1 + defect * (1 + defect)) * (1 + 0x1p-50);
}

void Sketcher::sketch(std::span<const float> codes, ThreadPool& pool, std::span<float> sketches,
                      std::span<double> errors) const {
  const int64_t d = projection_.dimension;
  const int64_t count = std::ssize(errors);
  if (std::ssize(codes) != count * d || std::ssize(sketches) != count * size()) {
    throw std::invalid_argument("codes, sketches and errors do not belong together");
  }
  const std::vector<double> directions(projection_.directions.begin(), projection_.directions.end());
  std::vector<Scratch> scratch(as_size(pool.threads()));
  pool.for_each((count + kCodesAtOnce - 1) / kCodesAtOnce, [&](int64_t i, int thread) {
    const int64_t first = i * kCodesAtOnce, some = std::min(kCodesAtOnce, count - first);
    sketch_some(codes.data() + first * d, some, directions, sketches.data() + first * size(),
                errors.data() + first, scratch[static_cast<std::size_t>(thread)]);
  });
}

// With u = 2^-53, c the centred code, and every dot product within (n + 1) 1.01 u of its lengths:
//   |p^ - p| <= sqrt(m) (D + 3) 1.01 u (1 + d) |c|              c itself has an error of u in each element
//   r^2 = |c|^2 - |p|^2 + p^T (P^T P - I) p, computed within    eta |c|^2
//   eta = 4 (1 + d)^3 (m + 4) (D + m + 8) u                     (D from |c|^2; sqrt(m) D from p, twice;
//                                                               m D from P^T P - I; m from its product)
//   |r^ - r| <= min(sqrt(eta) |c|, eta |c|^2 / r^)              as r^^2 - r^2 = (r^ - r)(r^ + r)
// To these comes what storing as float loses, which is measured.
void Sketcher::sketch_some(const float* codes, int64_t count, const std::vector<double>& directions,
                           float* sketches, double* errors, Scratch& scratch) const {
  const int64_t d = projection_.dimension, m = projection_.components();
  scratch.centred.resize(as_size(kCodesAtOnce * d));
  scratch.along.resize(as_size(kCodesAtOnce * m));
  scratch.bent.resize(as_size(kCodesAtOnce * m));
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < d; ++i) {
      scratch.centred[as_size(r * d + i)] =
          static_cast<double>(codes[r * d + i]) -
          static_cast<double>(projection_.mean[static_cast<std::size_t>(i)]);
    }
  }
  cpu::dot_products(scratch.centred.data(), count, directions.data(), m, d, scratch.along.data());
  cpu::dot_products(scratch.along.data(), count, defect_.data(), m, m, scratch.bent.data());

  const auto md = static_cast<double>(m), dd = static_cast<double>(d);
  const double along_error = std::sqrt(md) * (dd + 3) * 1.01 * kUnit * spread_;
  const double eta = 4 * spread_ * spread_ * spread_ * (md + 4) * (dd + md + 8) * kUnit;
  for (int64_t r = 0; r < count; ++r) {
    const double* along = scratch.along.data() + r * m;
    const double* centred = scratch.centred.data() + r * d;
    float* out = sketches + r * (m + 1);
    const double square = dot(centred, centred, d);
    const double rest_square = square - dot(along, along, m) + dot(along, scratch.bent.data() + r * m, m);
    const double rest = std::sqrt(std::max(0.0, rest_square));
    double lost = 0, largest = rest;
    for (int64_t j = 0; j <= m; ++j) {
      const double value = j < m ? along[j] : rest;
      largest = std::max(largest, std::abs(value));
      out[j] = static_cast<float>(value);
      const double difference = value - static_cast<double>(out[j]);
      lost += difference * difference;
    }
    const double length = std::sqrt(square) * (1 + 0x1p-30);
    const double rest_error = std::min(std::sqrt(eta) * length, rest > 0 ? eta * square / rest : HUGE_VAL);
    errors[r] = (std::sqrt(lost) + along_error * length + 1.01 * rest_error) * (1 + 0x1p-30);
    if (!std::isfinite(square) || !(largest <= static_cast<double>(std::numeric_limits<float>::max()))) {
      std::fill_n(out, m + 1, 0.0F);
      errors[r] = HUGE_VAL;
    }
  }
}

}  // namespace lookalike
