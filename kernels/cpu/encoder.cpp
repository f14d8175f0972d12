// Encoder, forward. One kernel: 3x3 convolution, bias, ReLU and 2x2 maximum of one row of pool windows.
//   out[k][i, j] = max(0, bias[k] + max over a, b in {0, 1} of
//                  sum over c, r, s of w[r, s, c, k] x[c][2 i + a + r - 1, 2 j + b + s - 1])
// On split planes the four outputs of window j read O[j - 1], E[j], O[j], E[j + 1] of four rows: sixteen
// loads a channel serve 36 multiply-adds for each output channel, and the maximum is taken between registers.
// All four add their products in one order, so equal windows stay equal to the bit. Bound: multiply-add
// units.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/encoder.cpp"
#include <hwy/foreach_target.h>
// Highway's header first: it sets the target.
#include <hwy/highway.h>

#include "kernels/cpu/passes.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

// One row of pixels -> the odd and even grid columns of each channel. Grid column x is pixel x - 1.
using SplitRow = uint16_t[kImageChannels][encoder_planes(0).pitch()];
HWY_INLINE void split_row(const uint8_t* HWY_RESTRICT pixels, SplitRow& even, SplitRow& odd) {
#if HWY_TARGET == HWY_SCALAR
  for (int x = 0; x < kImageSize; x += 2)
    for (int c = 0; c < kImageChannels; ++c) {
      odd[c][x / 2] = pixels[x * kImageChannels + c];
      even[c][x / 2 + 1] = pixels[(x + 1) * kImageChannels + c];
    }
#else
  constexpr int kPixels = 16;  // a block
  const hn::FixedTag<uint8_t, kPixels> bytes;
  const hn::FixedTag<uint16_t, kPixels / 2> pairs;
  for (int block = 0; block < kImageSize; block += kPixels) {
    // The last block overlaps the one before it.
    const int x = HWY_MIN(block, kImageSize - kPixels);
    hn::Vec<decltype(bytes)> channel[kImageChannels];
    hn::LoadInterleaved3(bytes, pixels + x * kImageChannels, channel[0], channel[1], channel[2]);
    for (int c = 0; c < kImageChannels; ++c) {
      const auto both = hn::BitCast(pairs, channel[c]);
      hn::StoreU(hn::And(both, hn::Set(pairs, uint16_t{255})), pairs, odd[c] + x / 2);
      hn::StoreU(hn::ShiftRight<8>(both), pairs, even[c] + x / 2 + 1);
    }
  }
#endif
}

void SplitImage(const uint8_t* HWY_RESTRICT image, Workspace& workspace) {
  constexpr PlaneShape kShape = encoder_planes(0);
  const Floats d;
  const hn::Rebind<int32_t, Floats> ints;
  const hn::Rebind<uint16_t, Floats> shorts;
  alignas(64) SplitRow odd = {};
  alignas(64) SplitRow even = {};
  for (int y = 0; y < kImageSize; ++y) {
    split_row(image + y * kImageSize * kImageChannels, even, odd);
    for (int c = 0; c < kImageChannels; ++c) {
      float* row = workspace.encoder_in[0] + c * kShape.channel_stride() + kShape.row(y + 1);
      for (int j = 0; j < kShape.width(); j += kLanes) {
        hn::Store(hn::ConvertTo(d, hn::PromoteTo(ints, hn::LoadU(shorts, even[c] + j))), d, row + j);
        hn::Store(hn::ConvertTo(d, hn::PromoteTo(ints, hn::LoadU(shorts, odd[c] + j))), d,
                  row + kShape.pitch() + j);
      }
    }
  }
}

// x: row 2 i - 1 of channel 0. out (K, kRowPitch), zero from `width` on. winners: row i of channel 0.
template <int kStage, bool kKeepWinners>
HWY_INLINE void pool_row(const float* HWY_RESTRICT x, const float* HWY_RESTRICT weights,
                         const float* HWY_RESTRICT bias, float* HWY_RESTRICT out,
                         uint8_t* HWY_RESTRICT winners) {
  constexpr PlaneShape kShape = encoder_planes(kStage);
  constexpr int kChannels = kShape.channels;
  constexpr int kOutputs = stage_of(kStage).out_channels;
  constexpr int kPitch = kShape.pitch();
  constexpr int kTogether = kManyRegisters ? 4 : 2;  // output channels
  const Floats d;
  for (int j = 0; j < kShape.width(); j += kLanes) {
    for (int k = 0; k < kOutputs; k += kTogether) {
      V sum[kTogether][4];
      for (auto& window : sum)
        for (V& v : window) v = hn::Zero(d);
      const float* w = weights + k / kBlock * (kChannels * kTaps * kBlock) + k % kBlock;
      for (int c = 0; c < kChannels; ++c, w += kTaps * kBlock) {
        const float* even = x + c * kShape.channel_stride() + j;
        HWY_UNROLL(3)
        for (int r = 0; r < 3; ++r, even += kShape.row_stride()) {
          // Rows of the upper and of the lower outputs.
          const V upper[4] = {hn::LoadU(d, even + kPitch - 1), hn::Load(d, even), hn::Load(d, even + kPitch),
                              hn::LoadU(d, even + 1)};
          const float* next = even + kShape.row_stride();
          const V lower[4] = {hn::LoadU(d, next + kPitch - 1), hn::Load(d, next), hn::Load(d, next + kPitch),
                              hn::LoadU(d, next + 1)};
          HWY_UNROLL(3)
          for (int s = 0; s < 3; ++s) {
            for (int o = 0; o < kTogether; ++o) {
              const V tap = hn::Set(d, w[(r * 3 + s) * kBlock + o]);
              sum[o][0] = hn::MulAdd(upper[s], tap, sum[o][0]);
              sum[o][1] = hn::MulAdd(upper[s + 1], tap, sum[o][1]);
              sum[o][2] = hn::MulAdd(lower[s], tap, sum[o][2]);
              sum[o][3] = hn::MulAdd(lower[s + 1], tap, sum[o][3]);
            }
          }
        }
      }
      for (int o = 0; o < kTogether; ++o) {
        const V upper = hn::Max(sum[o][0], sum[o][1]);
        const V lower = hn::Max(sum[o][2], sum[o][3]);
        const V pooled = hn::Add(hn::Max(upper, lower), hn::Set(d, bias[k + o]));
        hn::Store(only_within(hn::Max(hn::Zero(d), pooled), j, kShape.width()), d,
                  out + (k + o) * kRowPitch + j);
        if (kKeepWinners) {
          // Strictly greater: the first of equals stays.
          const V upper_at = hn::IfThenElseZero(hn::Gt(sum[o][1], sum[o][0]), hn::Set(d, 1.0F));
          const V lower_at = hn::IfThenElse(hn::Gt(sum[o][3], sum[o][2]), hn::Set(d, 3.0F), hn::Set(d, 2.0F));
          const V at = hn::IfThenElse(hn::Gt(lower, upper), lower_at, upper_at);
          const V kept = hn::IfThenElse(hn::Gt(pooled, hn::Zero(d)), at, hn::Set(d, float{kNoWinner}));
          const hn::Rebind<int32_t, Floats> ints;
          const hn::Rebind<uint8_t, Floats> bytes;
          hn::StoreU(hn::DemoteTo(bytes, hn::ConvertTo(ints, kept)), bytes,
                     winners + (k + o) * (kShape.grid / 2 * winner_pitch(kStage)) + j);
        }
      }
    }
  }
}

template <int kStage, bool kForGradient>
HWY_NOINLINE void pool_stage(const float* weights, const float* bias, Workspace& workspace) {
  constexpr PlaneShape kShape = encoder_planes(kStage);
  constexpr int kOutputs = stage_of(kStage).out_channels;
  constexpr int kSize = kShape.grid / 2;
  float* rows = workspace.rows;
  for (int i = 0; i < kSize; ++i) {
    pool_row<kStage, kForGradient>(workspace.encoder_in[kStage] + kShape.row(2 * i - 1), weights, bias, rows,
                                   workspace.winners[kStage] + i * winner_pitch(kStage));
    if constexpr (kStage < 2) {
      constexpr PlaneShape kNext = encoder_planes(kStage + 1);
      for (int k = 0; k < kOutputs; ++k) {
        float* next = workspace.encoder_in[kStage + 1] + k * kNext.channel_stride() + kNext.row(i);
        store_split(rows + k * kRowPitch, kSize, next, next + kNext.pitch());
      }
      if constexpr (kForGradient) {
        // Of a width of 38, vectors have left zeros up to a multiple of four: the border.
        transpose(rows, kRowPitch, kOutputs, round_up(kSize, HWY_MIN(kLanes, 4)),
                  workspace.encoder_pixels[kStage + 1] + encoder_pixels(kStage + 1).at(i, 0), kOutputs);
      }
    } else {
      const Floats d;
      for (int k = 0; k < kOutputs; ++k) {
        float* next = workspace.low[0] + k * kCodePlanes.channel_stride() + kCodePlanes.row(i);
        for (int j = 0; j < kSize; j += kLanes)
          hn::StoreU(hn::Load(d, rows + k * kRowPitch + j), d, next + j);
      }
    }
  }
}

template <bool kForGradient>
HWY_INLINE void encode(const PackedParameters& packed, Workspace& workspace) {
  const float* bias = packed.bias.data();
  pool_stage<0, kForGradient>(packed.enc1.data(), bias, workspace);
  pool_stage<1, kForGradient>(packed.enc2.data(), bias + kRowChannels, workspace);
  pool_stage<2, kForGradient>(packed.enc3.data(), bias + 2 * kRowChannels, workspace);
}

void EncodePlanes(const PackedParameters& packed, Workspace& workspace) { encode<false>(packed, workspace); }
void EncodePlanesForGradient(const PackedParameters& packed, Workspace& workspace) {
  encode<true>(packed, workspace);
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(SplitImage);
HWY_EXPORT(EncodePlanes);
HWY_EXPORT(EncodePlanesForGradient);

void split_image(const uint8_t* image, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(SplitImage)(image, workspace);
}

void encode_planes(const PackedParameters& packed, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(EncodePlanes)(packed, workspace);
}

void encode_planes_for_gradient(const PackedParameters& packed, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(EncodePlanesForGradient)(packed, workspace);
}

}  // namespace lookalike::cpu
#endif
