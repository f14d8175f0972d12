// Vector types of the current instruction set. Included once for each by Highway's foreach_target.
#if defined(LOOKALIKE_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOOKALIKE_CPU_SIMD_INL_H_
#undef LOOKALIKE_CPU_SIMD_INL_H_
#else
#define LOOKALIKE_CPU_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/cpu/planes.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kMaxLanes>;
using V = hn::Vec<Floats>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(Floats()));
// 32 registers hold twice the accumulators that 16 do.
inline constexpr bool kManyRegisters = kLanes == 16;

// Vectors that cover `width` columns.
constexpr int vector_count(int width) { return (width + kLanes - 1) / kLanes; }

// v with the lanes of column `width` and beyond zero; lane 0 is column j.
HWY_INLINE V only_within(V v, int j, int width) {
  if (j + kLanes <= width) return v;
  const Floats d;
  return hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(width - j)), v);
}

// Lanes in their order, one row's columns -> its even and odd columns. `row` is readable up to
// 2 * kLanes * vector_count(width / 2).
HWY_INLINE void store_split(const float* HWY_RESTRICT row, int width, float* HWY_RESTRICT even,
                            float* HWY_RESTRICT odd) {
  const Floats d;
  for (int j = 0; j < width / 2; j += kLanes) {
#if HWY_TARGET == HWY_SCALAR
    const V e = hn::LoadU(d, row + 2 * j);
    const V o = hn::LoadU(d, row + 2 * j + 1);
#else
    const V first = hn::LoadU(d, row + 2 * j);
    const V second = hn::LoadU(d, row + 2 * j + kLanes);
    const V e = hn::ConcatEven(d, second, first);
    const V o = hn::ConcatOdd(d, second, first);
#endif
    hn::StoreU(only_within(e, j, width / 2), d, even + j);
    hn::StoreU(only_within(o, j, width / 2), d, odd + j);
  }
}

// (rows, columns) -> (columns, rows) in blocks of 4 x 4; both multiples of 4.
HWY_INLINE void transpose(const float* HWY_RESTRICT in, int64_t in_stride, int rows, int columns,
                          float* HWY_RESTRICT out, int64_t out_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) out[c * out_stride + r] = in[r * in_stride + c];
#else
  const hn::FixedTag<float, 4> d;
  for (int r = 0; r < rows; r += 4) {
    for (int c = 0; c < columns; c += 4) {
      const float* block = in + r * in_stride + c;
      const auto row0 = hn::LoadU(d, block);
      const auto row1 = hn::LoadU(d, block + in_stride);
      const auto row2 = hn::LoadU(d, block + 2 * in_stride);
      const auto row3 = hn::LoadU(d, block + 3 * in_stride);
      const auto even_low = hn::InterleaveLower(d, row0, row2);
      const auto odd_low = hn::InterleaveLower(d, row1, row3);
      const auto even_high = hn::InterleaveUpper(d, row0, row2);
      const auto odd_high = hn::InterleaveUpper(d, row1, row3);
      float* to = out + c * out_stride + r;
      hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, to);
      hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, to + out_stride);
      hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, to + 2 * out_stride);
      hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, to + 3 * out_stride);
    }
  }
#endif
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
