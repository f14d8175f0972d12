#include "engine/sketch_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/sketch_distance.h"

namespace lookalike {
namespace {

// Room for what a handful of operations in double can be off, and squared_distance itself: a square passes at
// most D / 8 + 5 roundings of 2^-53, which is 2^-40.9 at kMostSketchedDimension.
constexpr double kSlack = 0x1p-37;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

SketchBounds::SketchBounds(const SketchedCatalog& catalog, std::span<const float> queries, ThreadPool& pool)
    : catalog_(catalog), size_(catalog.sketcher->size()), stored_(catalog.byte_sketcher->stored()) {
  const int64_t count = std::ssize(queries) / catalog.sketcher->projection().dimension;
  fine_.resize(as_size(count * size_));
  bytes_.resize(as_size(count * stored_));
  of_queries_.resize(as_size(count));
  std::vector<float> sketches(as_size(count * size_));
  std::vector<double> errors(as_size(count));
  catalog.sketcher->sketch_fast(queries, pool, sketches, errors);
  constexpr int64_t kSome = 32;
  pool.for_each((count + kSome - 1) / kSome, [&](int64_t i, int) {
    for (int64_t q = i * kSome; q < std::min(count, (i + 1) * kSome); ++q) {
      round_query(q, std::span(sketches).subspan(as_size(q * size_), as_size(size_)), errors[as_size(q)]);
    }
  });
}

void SketchBounds::round_query(int64_t q, std::span<const float> sketch, double error) {
  OfQuery& of = of_queries_[as_size(q)];
  catalog_.fine_sketcher->query(sketch, std::span(fine_).subspan(as_size(q * size_), as_size(size_)));
  of.fine_error = error + catalog_.fine_sketcher->rounding();
  int8_t* bytes = bytes_.data() + q * stored_;
  of.byte_error = error + catalog_.byte_sketcher->sketch(sketch, bytes);
  for (int64_t i = 0; i < stored_; ++i) {
    of.square += bytes[i] * bytes[i];
    of.sum += bytes[i];
  }
}

// In exact arithmetic, with bytes b and b' of query and
// row, both of which err by at most their byte_error e:
//   step |b - b'| - e - e' <= |s - s'| <= stretch |q - r|,   |b - b'|^2 >= |b|^2 - 2 (score - 128 sum of b)
int32_t SketchBounds::least_score(int64_t q, double limit, const SketchBlock& block) const {
  const OfQuery& of = of_queries_[as_size(q)];
  const double far = (catalog_.sketcher->stretch() * std::sqrt(limit) + of.byte_error + block.byte_error) *
                     (1 + kSlack) / catalog_.byte_sketcher->step();
  const double most = far * far * (1 + kSlack);  // |b - b'|^2
  constexpr double kEverything = 4e9;            // no |b - b'|^2 is more
  if (!(most < kEverything)) return std::numeric_limits<int32_t>::min();
  const int64_t twice = of.square + 256 * of.sum - static_cast<int64_t>(most);
  return static_cast<int32_t>((twice + (twice & 1)) / 2);
}

float SketchBounds::of_score(int64_t q, const SketchBlock& block, int32_t score) const {
  const OfQuery& of = of_queries_[as_size(q)];
  const int64_t apart = std::max<int64_t>(0, of.square + 256 * of.sum - 2 * int64_t{score});
  return squared(std::sqrt(static_cast<double>(apart)) * catalog_.byte_sketcher->step(),
                 of.byte_error + block.byte_error);
}

float SketchBounds::of_fine(int64_t q, float fine_error, const int8_t* fine) const {
  const float apart =
      cpu::sketch_distance(fine_.data() + q * size_, catalog_.fine_sketcher->step().data(), fine, size_);
  return squared(std::sqrt(cpu::least_sketch_distance(apart, size_)),
                 of_queries_[as_size(q)].fine_error + static_cast<double>(fine_error));
}

float SketchBounds::squared(double apart, double error) const {
  const double far = (apart * (1 - kSlack) - error * (1 + kSlack)) / catalog_.sketcher->stretch();
  constexpr double kLeast = 1e-30;  // below, a float has no relative precision
  const double bound = far > 0 ? std::min(far * far * (1 - 0x1p-22), 3e38) : 0.0;
  return bound > kLeast ? static_cast<float>(bound) : 0.0F;
}

float SketchBounds::rounded_up(double error) {
  constexpr auto kMost = static_cast<double>(std::numeric_limits<float>::max());
  return std::nextafter(static_cast<float>(std::min(error, kMost)), HUGE_VALF);
}

}  // namespace lookalike
