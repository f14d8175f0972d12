// Decoder, backward.
// Weights: each (phase, tap) of a channel pair is a dot product over the low-resolution pixels; all of one
// phase for a few output channels stay in registers over the whole image; 16 are folded to 9 at the end. Each
// lane sums its own columns, so partial sums stay short. Data: the adjoint of the phases gathers 16 products
// for each channel pair; the ReLU's mask and, for the next stage's phases, the split into even and odd
// columns follow while the row is in cache. Bound: multiply-add units.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/decoder_backward.cpp"
#include <hwy/foreach_target.h>
// Highway's header first: it sets the target.
#include <hwy/highway.h>

#include "kernels/cpu/correlate-inl.h"
#include "kernels/cpu/passes.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

HWY_INLINE float sum_of(V v) {
  const Floats d;
  return hn::GetLane(hn::SumOfLanes(d, v));
}

// bias gradient: sum of the planes of each channel.
template <PlaneShape kShape>
HWY_NOINLINE void bias_gradient(const float* HWY_RESTRICT planes, float* HWY_RESTRICT gradient) {
  const Floats d;
  for (int k = 0; k < kShape.channels; ++k) {
    double total = 0.0;
    for (int y = 0; y < kShape.grid; ++y) {
      const float* row = planes + k * kShape.channel_stride() + kShape.row(y);
      V sum = hn::Zero(d);
      for (int j = 0; j < kShape.row_stride(); j += kLanes) sum = hn::Add(sum, hn::LoadU(d, row + j));
      total += double{sum_of(sum)};
    }
    gradient[k] = static_cast<float>(total);
  }
}

// products[k][t] = sum over rows y and columns of slope[k] * in[offset t]; consecutive rows are in_step and
// slope_step apart.
template <int kWidth, int kTogether, std::size_t kCount>
HWY_INLINE void dot_taps(const float* HWY_RESTRICT in, int in_step, const std::array<int, kCount>& offsets,
                         const float* HWY_RESTRICT slope, int slope_step, int slope_channel, int height,
                         float (&products)[kTogether][kCount]) {
  const Floats d;
  V sum[kTogether][kCount];
  for (auto& row : sum)
    for (V& v : row) v = hn::Zero(d);
  for (int y = 0; y < height; ++y, in += in_step, slope += slope_step) {
    for (int j = 0; j < kWidth; j += kLanes) {
      V g[kTogether];
      for (int k = 0; k < kTogether; ++k) g[k] = hn::LoadU(d, slope + k * slope_channel + j);
      for (std::size_t t = 0; t < kCount; ++t) {
        const V x = hn::LoadU(d, in + offsets[t] + j);
        for (int k = 0; k < kTogether; ++k) sum[k][t] = hn::MulAdd(x, g[k], sum[k][t]);
      }
    }
  }
  for (int k = 0; k < kTogether; ++k)
    for (std::size_t t = 0; t < kCount; ++t) products[k][t] = sum_of(sum[k][t]);
}

// Stage 4 to 6: kernel gradient (R, S, C, K), overwritten.
template <int kStage, int kTogether>
HWY_NOINLINE void phase_weights_gradient(const float* in, const float* slope, float* HWY_RESTRICT gradient) {
  constexpr PlaneShape kIn = low_planes(kStage - 1);
  constexpr PlaneShape kSlope = gradient_planes(kStage);
  constexpr std::array<int, 4> kOffsets = phase_taps(kIn.pitch());
  for (int i = 0; i < stage_of(kStage).kernel_count(); ++i) gradient[i] = 0.0F;
  for (int k0 = 0; k0 < kSlope.channels; k0 += kTogether)
    for (int phase = 0; phase < 4; ++phase) {
      const int a = phase / 2;
      const int b = phase % 2;
      const float* g = slope + k0 * kSlope.channel_stride() + kSlope.row(a) + b * kSlope.pitch();
      for (int c = 0; c < kIn.channels; ++c) {
        float products[kTogether][4];
        dot_taps<kIn.grid>(in + c * kIn.channel_stride() + kIn.row(a - 1) + b - 1, kIn.row_stride(), kOffsets,
                           g, 2 * kSlope.row_stride(), kSlope.channel_stride(), kIn.grid, products);
        for (int tap = 0; tap < kTaps; ++tap) {
          const int t = 2 * phase_of_tap(a, tap / 3) + phase_of_tap(b, tap % 3);
          for (int k = 0; k < kTogether; ++k)
            gradient[(tap * kIn.channels + c) * kSlope.channels + k0 + k] += products[k][t];
        }
      }
    }
}

// Stage 4 to 6: gradient of the stage's input through the ReLU of stage - 1, as that stage's output_gradient.
template <int kStage>
HWY_NOINLINE void phase_data_gradient(const float* weights, Workspace& workspace) {
  constexpr PlaneShape kSlope = gradient_planes(kStage);
  constexpr PlaneShape kIn = low_planes(kStage - 1);
  constexpr PlaneShape kOut = gradient_planes(kStage - 1);
  using Taps =
      Correlation<kSlope.channels, kSlope.channel_stride(), kIn.grid, 16, phase_taps_back(kSlope.pitch())>;
  const Floats d;
  float* rows = workspace.rows;
  for (int y = 0; y < kIn.grid; ++y) {
    const float* activation = workspace.low[kStage - 3] + kIn.row(y);
    correlate_row<Taps, kBlock>(workspace.output_gradient[kStage - 3] + kSlope.row(2 * y), weights,
                                kIn.channels, [&](int c, int j, V v) HWY_ATTR {
                                  const V x = hn::LoadU(d, activation + c * kIn.channel_stride() + j);
                                  v = hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), v);
                                  hn::Store(only_within(v, j, kIn.grid), d, rows + c * kRowPitch + j);
                                });
    for (int c = 0; c < kIn.channels; ++c) {
      float* out = workspace.output_gradient[kStage - 4] + c * kOut.channel_stride() + kOut.row(y);
      if constexpr (kOut.parities == 2) {
        store_split(rows + c * kRowPitch, kIn.grid, out, out + kOut.pitch());
      } else {
        for (int j = 0; j < kIn.grid; j += kLanes)
          hn::StoreU(hn::Load(d, rows + c * kRowPitch + j), d, out + j);
      }
    }
  }
}

// dec1: kernel gradient and code_gradient.
HWY_NOINLINE void first_backward(const PackedParameters& packed, Workspace& workspace,
                                 float* HWY_RESTRICT gradient) {
  constexpr PlaneShape kShape = kCodePlanes;
  constexpr int kOutputs = stage_of(3).out_channels;
  const float* slope = workspace.output_gradient[0];
  const Floats d;
  for (int k = 0; k < kOutputs; ++k)
    for (int c = 0; c < kShape.channels; ++c) {
      float products[1][kTaps];
      dot_taps<kShape.grid>(workspace.low[0] + c * kShape.channel_stride() + kShape.row(0),
                            kShape.row_stride(), full_taps(kShape.pitch()),
                            slope + k * kShape.channel_stride() + kShape.row(0), kShape.row_stride(), 0,
                            kShape.grid, products);
      for (int tap = 0; tap < kTaps; ++tap)
        gradient[(tap * kShape.channels + c) * kOutputs + k] = products[0][tap];
    }
  using Taps =
      Correlation<kOutputs, kShape.channel_stride(), kShape.grid, kTaps, full_taps_back(kShape.pitch())>;
  for (int y = 0; y < kShape.grid; ++y) {
    float* out = workspace.code_gradient + kShape.row(y);
    correlate_row<Taps, kBlock>(
        slope + kShape.row(y), packed.dec1_back.data(), kShape.channels, [&](int c, int j, V v) HWY_ATTR {
          hn::StoreU(only_within(v, j, kShape.grid), d, out + c * kShape.channel_stride() + j);
        });
  }
}

void DecoderBackward(const PackedParameters& packed, Workspace& workspace, float* gradient) {
  constexpr int kPair = kManyRegisters ? 4 : 2;
  phase_weights_gradient<6, kOutputBlock>(workspace.low[3], workspace.output_gradient[3],
                                          gradient + kernel_offset(6));
  bias_gradient<gradient_planes(6)>(workspace.output_gradient[3], gradient + bias_offset(6));
  phase_data_gradient<6>(packed.dec4_back.data(), workspace);
  phase_weights_gradient<5, kPair>(workspace.low[2], workspace.output_gradient[2],
                                   gradient + kernel_offset(5));
  bias_gradient<gradient_planes(5)>(workspace.output_gradient[2], gradient + bias_offset(5));
  phase_data_gradient<5>(packed.dec3_back.data(), workspace);
  phase_weights_gradient<4, kPair>(workspace.low[1], workspace.output_gradient[1],
                                   gradient + kernel_offset(4));
  bias_gradient<gradient_planes(4)>(workspace.output_gradient[1], gradient + bias_offset(4));
  phase_data_gradient<4>(packed.dec2_back.data(), workspace);
  first_backward(packed, workspace, gradient + kernel_offset(3));
  bias_gradient<gradient_planes(3)>(workspace.output_gradient[0], gradient + bias_offset(3));
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(DecoderBackward);

void decoder_backward(const PackedParameters& packed, Workspace& workspace, float* gradient) {
  HWY_DYNAMIC_DISPATCH(DecoderBackward)(packed, workspace, gradient);
}

}  // namespace lookalike::cpu
#endif
