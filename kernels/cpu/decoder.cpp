// Decoder, forward, and the loss. dec1 is a 3x3 convolution of the code; dec2 to dec4 convolve an upsampled
// input, which is done on the low-resolution planes in four phases (planes.h) of 2x2 summed taps each: 16
// multiply-adds in place of 36 for four outputs, exact at the borders. Bound: multiply-add units; the loss by
// division and exp.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/decoder.cpp"
#include <hwy/foreach_target.h>
// Highway's header first: it sets the target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/cpu/correlate-inl.h"
#include "kernels/cpu/passes.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

// Convolution of the upsampled `in`, one phase.
template <PlaneShape kIn>
using PhaseCorrelation =
    Correlation<kIn.channels, kIn.channel_stride(), kIn.grid, 4, phase_taps(kIn.pitch())>;

// dec1: low[0] -> low[1].
HWY_NOINLINE void decode_first(const PackedParameters& packed, Workspace& workspace) {
  constexpr PlaneShape kIn = low_planes(2);
  constexpr PlaneShape kOut = low_planes(3);
  using Taps = Correlation<kIn.channels, kIn.channel_stride(), kIn.grid, kTaps, full_taps(kIn.pitch())>;
  const float* bias = packed.bias.data() + 3 * kRowChannels;
  const Floats d;
  for (int y = 0; y < kIn.grid; ++y) {
    float* out = workspace.low[1] + kOut.row(y);
    correlate_row<Taps, kBlock>(
        workspace.low[0] + kIn.row(y), packed.dec1.data(), kOut.channels, [&](int k, int j, V v) HWY_ATTR {
          v = hn::Max(hn::Zero(d), hn::Add(v, hn::Set(d, bias[k])));
          hn::StoreU(only_within(v, j, kOut.grid), d, out + k * kOut.channel_stride() + j);
        });
  }
}

// dec2, dec3: stage 4 and 5.
template <int kStage>
HWY_NOINLINE void decode_stage(const float* weights, const PackedParameters& packed, Workspace& workspace) {
  constexpr PlaneShape kIn = low_planes(kStage - 1);
  constexpr PlaneShape kOut = low_planes(kStage);
  constexpr int kPhaseWeights = 4 * kIn.channels * kOut.channels;
  const float* bias = packed.bias.data() + kStage * kRowChannels;
  const float* in = workspace.low[kStage - 3];
  const Floats d;
  float* even = workspace.rows;
  float* odd = even + kRowChannels * kRowPitch;
  for (int y = 0; y < kOut.grid; ++y) {
    const int a = y % 2;
    const float* row = in + kIn.row(y / 2 + a - 1);
    for (int b = 0; b < 2; ++b) {
      float* phase = b == 0 ? even : odd;
      correlate_row<PhaseCorrelation<kIn>, kBlock>(
          row + b - 1, weights + (2 * a + b) * kPhaseWeights, kOut.channels, [&](int k, int j, V v) HWY_ATTR {
            v = hn::Max(hn::Zero(d), hn::Add(v, hn::Set(d, bias[k])));
            hn::Store(only_within(v, j, kIn.grid), d, phase + k * kRowPitch + j);
          });
    }
    // The last vector may spill zeros into the next row, which is written later or is the border.
    for (int k = 0; k < kOut.channels; ++k) {
      float* out = workspace.low[kStage - 2] + k * kOut.channel_stride() + kOut.row(y);
      for (int j = 0; j < kIn.grid; j += kLanes) {
        hn::StoreInterleaved2(hn::Load(d, even + k * kRowPitch + j), hn::Load(d, odd + k * kRowPitch + j), d,
                              out + 2 * j);
      }
    }
  }
}

void DecodePlanes(const PackedParameters& packed, Workspace& workspace) {
  decode_first(packed, workspace);
  decode_stage<4>(packed.dec2.data(), packed, workspace);
  decode_stage<5>(packed.dec3.data(), packed, workspace);
}

// One row of dec4's logits, (3, 2, kRowPitch): channel, column parity.
HWY_NOINLINE void logits_row(const PackedParameters& packed, int y, Workspace& workspace) {
  constexpr PlaneShape kIn = low_planes(5);
  constexpr int kPhaseWeights = 4 * kIn.channels * kImageChannels;
  const float* bias = packed.bias.data() + 6 * kRowChannels;
  const int a = y % 2;
  const float* row = workspace.low[3] + kIn.row(y / 2 + a - 1);
  const Floats d;
  for (int b = 0; b < 2; ++b) {
    float* out = workspace.rows + b * kRowPitch;
    correlate_row<PhaseCorrelation<kIn>, kOutputBlock>(
        row + b - 1, packed.dec4.data() + (2 * a + b) * kPhaseWeights, kImageChannels,
        [&](int k, int j, V v)
            HWY_ATTR { hn::Store(hn::Add(v, hn::Set(d, bias[k])), d, out + 2 * k * kRowPitch + j); });
  }
}

struct Sigmoid {
  V probability;
  V one_plus_e;  // 1 + exp(-|z|)
};
HWY_INLINE Sigmoid sigmoid(V z) {
  const Floats d;
  const V one = hn::Set(d, 1.0F);
  const V e = hn::Exp(d, hn::Neg(hn::Abs(z)));
  const V sum = hn::Add(one, e);
  return {hn::Div(hn::IfThenElse(hn::Lt(z, hn::Zero(d)), e, one), sum), sum};
}

void OutputProbabilities(const PackedParameters& packed, Workspace& workspace) {
  constexpr PlaneShape kOut = gradient_planes(6);
  const Floats d;
  for (int y = 0; y < kGridSize; ++y) {
    logits_row(packed, y, workspace);
    for (int k = 0; k < kImageChannels; ++k)
      for (int b = 0; b < 2; ++b) {
        const float* z = workspace.rows + (2 * k + b) * kRowPitch;
        float* out =
            workspace.output_gradient[3] + k * kOut.channel_stride() + kOut.row(y) + b * kOut.pitch();
        for (int j = 0; j < kOut.width(); j += kLanes)
          hn::StoreU(only_within(sigmoid(hn::Load(d, z + j)).probability, j, kOut.width()), d, out + j);
      }
  }
}

// With c = z limited to where p leaves the clip: loss = max(c, 0) - c y + log(1 + exp(-|c|)). The logarithms
// of a plane's row are taken of products: at most 76 factors of at most 2 in a lane, below 2^77.
template <bool kGradient>
HWY_INLINE double loss_pass(const PackedParameters& packed, float scale, Workspace& workspace) {
  constexpr PlaneShape kShape = gradient_planes(6);
  static_assert(kShape.channel_stride() == encoder_planes(0).channel_stride());
  // log((1 - clip) / clip)
  constexpr float kLimit = 16.118095550958317F;
  const Floats d;
  const V zero = hn::Zero(d);
  const V one = hn::Set(d, 1.0F);
  const V limit = hn::Set(d, kLimit);
  const V to_unit = hn::Set(d, 1.0F / 255.0F);
  double loss = 0.0;
  for (int y = kBorder; y < kGridSize - kBorder; ++y) {
    logits_row(packed, y, workspace);
    for (int k = 0; k < kImageChannels; ++k) {
      for (int b = 0; b < 2; ++b) {
        V linear = zero;
        V product = one;
        const int64_t offset = k * kShape.channel_stride() + kShape.row(y) + b * kShape.pitch();
        const float* z_row = workspace.rows + (2 * k + b) * kRowPitch;
        const float* target = workspace.encoder_in[0] + offset;
        float* gradient = workspace.output_gradient[3] + offset;
        // Column 0 and column 151 are the border.
        const int end = kShape.width() - (b == 1 ? 1 : 0);
        for (int j = 0; j < kShape.width(); j += kLanes) {
          const V z = hn::Load(d, z_row + j);
          const auto clipped = hn::Ge(hn::Abs(z), limit);
          const V c = hn::IfThenElse(clipped, hn::CopySign(limit, z), z);
          const Sigmoid p = sigmoid(c);
          const V t = hn::Mul(hn::LoadU(d, target + j), to_unit);
          auto inside = hn::FirstN(d, static_cast<std::size_t>(HWY_MAX(0, HWY_MIN(end - j, kLanes))));
          if (b == 0 && j == 0) inside = hn::AndNot(hn::FirstN(d, 1), inside);
          linear = hn::Add(linear, hn::IfThenElseZero(inside, hn::NegMulAdd(c, t, hn::Max(zero, c))));
          product = hn::Mul(product, hn::IfThenElse(inside, p.one_plus_e, one));
          if (kGradient) {
            const V slope = hn::Mul(hn::Sub(p.probability, t), hn::Set(d, scale));
            hn::StoreU(hn::IfThenElseZero(inside, hn::IfThenZeroElse(clipped, slope)), d, gradient + j);
          }
        }
        loss += double{hn::GetLane(hn::SumOfLanes(d, hn::Add(linear, hn::Log(d, product))))};
      }
    }
  }
  return loss;
}

double OutputLoss(const PackedParameters& packed, Workspace& workspace) {
  return loss_pass<false>(packed, 0.0F, workspace);
}
double OutputGradient(const PackedParameters& packed, float scale, Workspace& workspace) {
  constexpr PlaneShape kShape = gradient_planes(6);
  // Probabilities may have been left in the border rows.
  for (int k = 0; k < kImageChannels; ++k)
    for (const int y : {0, kGridSize - 1}) {
      float* row = workspace.output_gradient[3] + k * kShape.channel_stride() + kShape.row(y);
      for (int i = 0; i < kShape.row_stride(); ++i) row[i] = 0.0F;
    }
  return loss_pass<true>(packed, scale, workspace);
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(DecodePlanes);
HWY_EXPORT(OutputProbabilities);
HWY_EXPORT(OutputLoss);
HWY_EXPORT(OutputGradient);

void decode_planes(const PackedParameters& packed, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(DecodePlanes)(packed, workspace);
}
void output_probabilities(const PackedParameters& packed, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(OutputProbabilities)(packed, workspace);
}
double output_loss(const PackedParameters& packed, Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(OutputLoss)(packed, workspace);
}
double output_gradient(const PackedParameters& packed, float scale, Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(OutputGradient)(packed, scale, workspace);
}

}  // namespace lookalike::cpu
#endif
