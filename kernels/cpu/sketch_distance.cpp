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
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int64_t kSums = 4;  // hide the latency of the addition

float Distance(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t n) {
  const Floats d;
  hn::Vec<Floats> sums[kSums];
  for (auto& sum : sums) sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kSums * kLanes <= n; i += kSums * kLanes) {
    for (int64_t v = 0; v < kSums; ++v) {
      const auto apart = hn::Sub(hn::LoadU(d, a + i + v * kLanes), hn::LoadU(d, b + i + v * kLanes));
      sums[v] = hn::MulAdd(apart, apart, sums[v]);
    }
  }
  for (; i + kLanes <= n; i += kLanes) {
    const auto apart = hn::Sub(hn::LoadU(d, a + i), hn::LoadU(d, b + i));
    sums[0] = hn::MulAdd(apart, apart, sums[0]);
  }
  float rest = 0;
  for (; i < n; ++i) rest += (a[i] - b[i]) * (a[i] - b[i]);
  const auto sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(d, sum)) + rest;
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(Distance);

float sketch_distance(const float* a, const float* b, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(Distance)(a, b, n);
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

}  // namespace lookalike::cpu
#endif
