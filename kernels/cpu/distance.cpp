#include "kernels/cpu/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/distance.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::CappedTag<double, 8>;
using Floats = hn::Rebind<float, Doubles>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Doubles()));
constexpr int64_t kVectors = 8 / kLanes;

// Elements between two looks at the limit: a look costs about as much as 60 elements.
constexpr int64_t kLookEvery = 512;
static_assert(kLookEvery % 16 == 0);

// The eight accumulators of the definition, in as few vectors as the instruction set allows.
class Sum {
 public:
  // Adds elements i .. i + 7 of a and b, i a multiple of 8.
  HWY_INLINE void add(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b) {
    for (int64_t v = 0; v < kVectors; ++v) {
      const Doubles d;
      const auto x = hn::PromoteTo(d, hn::LoadU(Floats(), a + v * kLanes));
      const auto y = hn::PromoteTo(d, hn::LoadU(Floats(), b + v * kLanes));
      const auto difference = hn::Sub(x, y);
      acc_[v] = hn::Add(acc_[v], hn::Mul(difference, difference));
    }
  }

  // The last n < 8 elements; absent ones add 0, which changes no accumulator.
  HWY_INLINE void add_tail(const float* a, const float* b, int64_t n) {
    float x[8] = {}, y[8] = {};
    for (int64_t i = 0; i < n; ++i) {
      x[i] = a[i];
      y[i] = b[i];
    }
    add(x, y);
  }

  HWY_INLINE double total() const {
    double acc[8];
    for (int64_t v = 0; v < kVectors; ++v) hn::StoreU(acc_[v], Doubles(), acc + v * kLanes);
    return ((acc[0] + acc[1]) + (acc[2] + acc[3])) + ((acc[4] + acc[5]) + (acc[6] + acc[7]));
  }

 private:
  hn::Vec<Doubles> acc_[kVectors] = {};
};

constexpr int64_t kLine = 16;  // floats of a cache line

// From element i on.
HWY_INLINE void ask_for(const float* next, int64_t i, int64_t dimension) {
  if (next == nullptr) return;
  for (; i < dimension; i += kLine) __builtin_prefetch(next + i);
}

double Within(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t dimension, double limit,
              const float* next) {
  Sum sum;
  const int64_t whole = dimension - dimension % 8;
  int64_t i = 0;
  while (whole - i > kLookEvery) {
    for (const int64_t end = i + kLookEvery; i < end; i += kLine) {
      if (next != nullptr) __builtin_prefetch(next + i);
      sum.add(a + i, b + i);
      sum.add(a + i + 8, b + i + 8);
    }
    const double so_far = sum.total();
    if (so_far > limit) {
      ask_for(next, i, dimension);
      return so_far;
    }
  }
  ask_for(next, i, dimension);
  for (; i < whole; i += 8) sum.add(a + i, b + i);
  if (whole < dimension) sum.add_tail(a + whole, b + whole, dimension - whole);
  return sum.total();
}

double All(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t dimension) {
  Sum sum;
  const int64_t whole = dimension - dimension % 8;
  for (int64_t i = 0; i < whole; i += 8) sum.add(a + i, b + i);
  if (whole < dimension) sum.add_tail(a + whole, b + whole, dimension - whole);
  return sum.total();
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(All);
HWY_EXPORT(Within);

double squared_distance(const float* a, const float* b, int64_t dimension) {
  return HWY_DYNAMIC_DISPATCH(All)(a, b, dimension);
}

double squared_distance_within(const float* a, const float* b, int64_t dimension, double limit,
                               const float* next) {
  return HWY_DYNAMIC_DISPATCH(Within)(a, b, dimension, limit, next);
}

}  // namespace lookalike::cpu
#endif
