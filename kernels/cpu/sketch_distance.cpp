#include "kernels/cpu/sketch_distance.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sketch_distance.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;
using Bytes = hn::Rebind<int8_t, Floats>;
using V = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int64_t kSums = 4;  // hide the latency of the addition

HWY_INLINE V add_square(V sum, const float* query, const float* step, const int8_t* row) {
  const Floats d;
  const V number = hn::ConvertTo(d, hn::PromoteTo(Integers(), hn::LoadU(Bytes(), row)));
  const V apart = hn::NegMulAdd(hn::LoadU(d, step), number, hn::LoadU(d, query));
  return hn::MulAdd(apart, apart, sum);
}

float Distance(const float* HWY_RESTRICT query, const float* HWY_RESTRICT step,
               const int8_t* HWY_RESTRICT row, int64_t n) {
  const Floats d;
  V sums[kSums];
  for (V& sum : sums) sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kSums * kLanes <= n; i += kSums * kLanes) {
    for (int64_t v = 0; v < kSums; ++v) {
      const int64_t at = i + v * kLanes;
      sums[v] = add_square(sums[v], query + at, step + at, row + at);
    }
  }
  for (; i + kLanes <= n; i += kLanes) sums[0] = add_square(sums[0], query + i, step + i, row + i);
  float rest = 0;
  for (; i < n; ++i) {
    const float apart = query[i] - step[i] * static_cast<float>(row[i]);
    rest += apart * apart;
  }
  const V sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(d, sum)) + rest;
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(Distance);

float sketch_distance(const float* query, const float* step, const int8_t* row, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(Distance)(query, step, row, n);
}

double least_sketch_distance(float computed, int64_t n) {
  // With u = 2^-24: a difference has the factor 1 +- u, its square two of these and one for its own rounding,
  // and passes at most n + 1 additions, all of numbers that are not negative. 1.01 covers higher powers. A
  // square below the normal range gains at most 2^-126.
  const auto steps = static_cast<double>(n + 4);
  const double sum =
      std::min(static_cast<double>(computed), static_cast<double>(std::numeric_limits<float>::max()));
  return std::max(0.0, sum * (1 - 1.01 * steps * 0x1p-24) - steps * 0x1p-126);
}

double sketch_distance_rounding(double step_length) {
  // A product is of at most 128 steps and rounded where it is not fused, by 2^-24 of itself or, below the
  // normal range, 2^-149.
  return 1.01 * 128 * 0x1p-24 * step_length + 0x1p-140;
}

}  // namespace lookalike::cpu
#endif
