// The one loop of the decoder, forward and backward: a block of output channels over a block of columns,
//   sum[k][j] = sum over channel c and tap t of w[c][t][k] * in[c][j + offset t]
// in registers; each weight meets kColumns vectors and each load kTogether weights.
#if defined(LOOKALIKE_CPU_CORRELATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOOKALIKE_CPU_CORRELATE_INL_H_
#undef LOOKALIKE_CPU_CORRELATE_INL_H_
#else
#define LOOKALIKE_CPU_CORRELATE_INL_H_
#endif

#include <array>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

// Offsets of the taps in a plane of `pitch`, in the order of the packed weights.
constexpr std::array<int, kTaps> full_taps(int pitch) {
  std::array<int, kTaps> offsets{};
  for (int t = 0; t < kTaps; ++t) offsets[static_cast<std::size_t>(t)] = (t / 3 - 1) * pitch + t % 3 - 1;
  return offsets;
}
constexpr std::array<int, kTaps> full_taps_back(int pitch) {
  std::array<int, kTaps> offsets = full_taps(pitch);
  for (int& offset : offsets) offset = -offset;
  return offsets;
}
// Phase (1, 1); phase (a, b) starts at (a - 1) * pitch + b - 1 from it.
constexpr std::array<int, 4> phase_taps(int pitch) { return {0, 1, pitch, pitch + 1}; }
// Adjoint: offsets in split planes from row 2 y. Phase (a, b), tap (r, s) of the low-resolution pixel (y, x)
// was read by the output (2 (y - (a - 1 + r)) + a, 2 (x - (b - 1 + s)) + b).
constexpr std::array<int, 16> phase_taps_back(int pitch) {
  std::array<int, 16> offsets{};
  for (int i = 0; i < 16; ++i) {
    const int a = i / 8;
    const int b = i / 4 % 2;
    const int r = i / 2 % 2;
    const int s = i % 2;
    offsets[static_cast<std::size_t>(i)] = ((2 * (1 - a - r) + a) * 2 + b) * pitch + 1 - b - s;
  }
  return offsets;
}

// Where a correlation reads: kTaps source taps of each of kChannels planes, and how wide a row of its output
// is.
template <int channels, int channel_stride, int width, std::size_t taps, std::array<int, taps> offsets>
struct Correlation {
  static constexpr int kChannels = channels;
  static constexpr int kChannelStride = channel_stride;
  static constexpr int kWidth = width;
  static constexpr int kCount = static_cast<int>(taps);
  static constexpr std::array<int, taps> kOffsets = offsets;
};

template <class C, int kTogether, int kColumns>
HWY_INLINE void correlate_block(const float* HWY_RESTRICT in, const float* HWY_RESTRICT w,
                                V (&sum)[kTogether][kColumns]) {
  const Floats d;
  for (auto& row : sum)
    for (V& v : row) v = hn::Zero(d);
  for (int c = 0; c < C::kChannels; ++c, in += C::kChannelStride, w += C::kCount * kTogether) {
    HWY_UNROLL(16)
    for (int t = 0; t < C::kCount; ++t) {
      V x[kColumns];
      for (int j = 0; j < kColumns; ++j)
        x[j] = hn::LoadU(d, in + C::kOffsets[static_cast<std::size_t>(t)] + j * kLanes);
      for (int k = 0; k < kTogether; ++k) {
        const V tap = hn::Set(d, w[t * kTogether + k]);
        for (int j = 0; j < kColumns; ++j) sum[k][j] = hn::MulAdd(x[j], tap, sum[k][j]);
      }
    }
  }
}

// One row of `outputs` channels: finish(k, j, v) takes the sum of channel k at columns j to j + kLanes - 1.
// `in` stands at column 0; weights [k / kTogether][c][t][k % kTogether].
template <class C, int kTogether, int kColumns, class Finish>
HWY_INLINE void correlate_columns(const float* HWY_RESTRICT in, const float* HWY_RESTRICT w, int outputs,
                                  int first, const Finish& finish) {
  for (int k0 = 0; k0 < outputs; k0 += kTogether, w += C::kChannels * C::kCount * kTogether) {
    V sum[kTogether][kColumns];
    correlate_block<C>(in + first, w, sum);
    for (int k = 0; k < kTogether; ++k)
      for (int j = 0; j < kColumns; ++j) finish(k0 + k, first + j * kLanes, sum[k][j]);
  }
}

template <class C, int kTogether, class Finish>
HWY_INLINE void correlate_row(const float* HWY_RESTRICT in, const float* HWY_RESTRICT w, int outputs,
                              const Finish& finish) {
  // Threes, then twos: four vectors are two and two, not three and a lone one.
  constexpr int kVectors = vector_count(C::kWidth);
  constexpr int kTwos = kVectors % 3 == 0 ? 0 : kVectors % 3 == 2 ? 1 : 2;
  constexpr int kThrees = (kVectors - 2 * kTwos) / 3;
  static_assert(kThrees >= 0 && kThrees * 3 + kTwos * 2 == kVectors);
  int first = 0;
  for (int i = 0; i < kThrees; ++i, first += 3 * kLanes)
    correlate_columns<C, kTogether, 3>(in, w, outputs, first, finish);
  for (int i = 0; i < kTwos; ++i, first += 2 * kLanes)
    correlate_columns<C, kTogether, 2>(in, w, outputs, first, finish);
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
