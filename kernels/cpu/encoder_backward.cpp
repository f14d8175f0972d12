// Encoder, backward. In each pool window only the winner's convolution output has a gradient g, and none
// where ReLU left nothing, so the work is done window by window: with P the 3 x 3 x C patch around the
// winner,
//   kernel gradient[.., k] += g P,   bias gradient[k] += g,   gradient of the input's patch += g w[.., k],
// a quarter of the multiply-adds of the dense form. Pixel rows make each patch three contiguous runs of 3 C
// floats. Windows with g = 0 are left out of the list that a row of one output channel becomes. Determinism:
// windows in row order, each accumulator one fixed chain. Bound: loads.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/encoder_backward.cpp"
#include <hwy/foreach_target.h>
// Highway's header first: it sets the target.
#include <hwy/highway.h>

#include <array>

#include "kernels/cpu/passes.h"
#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

// Moves the lanes that a mask keeps to the front. (On AVX2 Highway 1.0.3's Compress copies a table to the
// stack at each use.)
#if HWY_MAX_BYTES == 64 || HWY_TARGET == HWY_SCALAR
class Compressor {
 public:
  explicit Compressor(hn::Mask<Floats> kept) : kept_(kept) {}
  V operator()(V v) const { return hn::Compress(v, kept_); }
  int count() const { return static_cast<int>(hn::CountTrue(Floats(), kept_)); }

 private:
  hn::Mask<Floats> kept_;
};
#else
// For each set of kept lanes their numbers in order, then zeros.
constexpr auto kept_lanes() {
  std::array<uint8_t, (1 << kLanes) * kLanes> table{};
  for (std::size_t bits = 0; bits < (1 << kLanes); ++bits) {
    std::size_t n = bits * kLanes;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      if ((bits >> lane & 1) != 0) table[n++] = static_cast<uint8_t>(lane);
    }
  }
  return table;
}
alignas(64) constexpr auto kKeptLanes = kept_lanes();

class Compressor {
 public:
  explicit Compressor(hn::Mask<Floats> kept) {
    uint8_t bits[8];
    hn::StoreMaskBits(Floats(), kept, bits);
    const hn::Rebind<uint8_t, Floats> bytes;
    lanes_ = hn::PromoteTo(Ints(), hn::LoadU(bytes, kKeptLanes.data() + bits[0] * kLanes));
    count_ = static_cast<int>(hwy::PopCount(uint64_t{bits[0]}));
  }
  V operator()(V v) const { return hn::TableLookupLanes(v, hn::IndicesFromVec(Floats(), lanes_)); }
  int count() const { return count_; }

 private:
  using Ints = hn::Rebind<int32_t, Floats>;
  hn::Vec<Ints> lanes_;
  int count_;
};
#endif

// Windows of one row with a gradient: the gradient, and where the winner's patch starts in pixel rows.
struct Winners {
  int count;
  // Whole vectors are stored.
  float slope[kGridSize / 2 + kMaxLanes];
  int32_t patch[kGridSize / 2 + kMaxLanes];
};

// slope: gradient of the pooled outputs of row i.
template <int kStage>
HWY_INLINE void list_winners(const uint8_t* HWY_RESTRICT winners, const float* HWY_RESTRICT slope, int i,
                             Winners& list) {
  constexpr PixelShape kIn = encoder_pixels(kStage);
  constexpr int kSize = kIn.grid / 2;
  const Floats d;
  const hn::Rebind<int32_t, Floats> ints;
  const hn::Rebind<uint8_t, Floats> bytes;
  const auto next_row = hn::Set(ints, kIn.row_stride());
  const auto next_column = hn::Set(ints, kIn.channels);
  auto window = hn::Add(hn::Set(ints, kIn.at(2 * i - 1, -1)),
                        hn::Mul(hn::Iota(ints, 0), hn::Set(ints, 2 * kIn.channels)));
  int count = 0;
  for (int x = 0; x < kSize; x += kLanes) {
    const auto at = hn::PromoteTo(ints, hn::LoadU(bytes, winners + x));
    const auto won = hn::RebindMask(d, hn::Lt(at, hn::Set(ints, int32_t{kNoWinner})));
    const V g = hn::IfThenElseZero(won, only_within(hn::LoadU(d, slope + x), x, kSize));
    // at is 2 dy + dx.
    const auto patch = hn::Add(window, hn::Add(hn::Mul(hn::ShiftRight<1>(at), next_row),
                                               hn::Mul(hn::And(at, hn::Set(ints, 1)), next_column)));
    window = hn::Add(window, hn::Set(ints, 2 * kIn.channels * kLanes));
    // NaN differs from zero.
    const Compressor listed(hn::Ne(g, hn::Zero(d)));
    hn::StoreU(hn::BitCast(ints, listed(hn::BitCast(d, patch))), ints, list.patch + count);
    hn::StoreU(listed(g), d, list.slope + count);
    count += listed.count();
  }
  list.count = count;
}

// Sum of the listed gradients, in double: a bias adds up thousands of them.
HWY_INLINE double sum_slopes(Winners& list) {
  const hn::CappedTag<double, kMaxLanes / 2> d;
  const hn::Rebind<float, decltype(d)> floats;
  constexpr int kStep = static_cast<int>(hn::MaxLanes(d));
  // The last step reads beyond the list.
  for (int n = 0; n < 2 * kStep; ++n) list.slope[list.count + n] = 0.0F;
  auto even = hn::Zero(d);
  auto odd = hn::Zero(d);
  for (int n = 0; n < list.count; n += 2 * kStep) {
    even = hn::Add(even, hn::PromoteTo(d, hn::LoadU(floats, list.slope + n)));
    odd = hn::Add(odd, hn::PromoteTo(d, hn::LoadU(floats, list.slope + n + kStep)));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

// total[r][.] += sum over the list of slope * patch row r, for kRows rows from `total`; two chains each.
template <int kRows, int kVectors>
HWY_INLINE void add_patches(const Winners& list, const float* HWY_RESTRICT pixels, int row_stride,
                            int total_stride, float* HWY_RESTRICT total) {
  const Floats d;
  V sum[2][kRows][kVectors];
  for (auto& chain : sum)
    for (auto& row : chain)
      for (V& v : row) v = hn::Zero(d);
  int n = 0;
  for (; n + 2 <= list.count; n += 2) {
    for (int chain = 0; chain < 2; ++chain) {
      const V g = hn::Set(d, list.slope[n + chain]);
      const float* patch = pixels + list.patch[n + chain];
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v)
          sum[chain][r][v] =
              hn::MulAdd(g, hn::LoadU(d, patch + r * row_stride + v * kLanes), sum[chain][r][v]);
    }
  }
  if (n < list.count) {
    const V g = hn::Set(d, list.slope[n]);
    const float* patch = pixels + list.patch[n];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        sum[0][r][v] = hn::MulAdd(g, hn::LoadU(d, patch + r * row_stride + v * kLanes), sum[0][r][v]);
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      float* t = total + r * total_stride + v * kLanes;
      hn::Store(hn::Add(hn::Load(d, t), hn::Add(sum[0][r][v], sum[1][r][v])), d, t);
    }
}

// patch rows of the input's gradient += slope * weights (3, kVectors * kLanes).
template <int kVectors>
HWY_INLINE void scatter_patches(const Winners& list, const float* HWY_RESTRICT weights, int weight_stride,
                                int row_stride, float* HWY_RESTRICT gradient) {
  const Floats d;
  for (int n = 0; n < list.count; ++n) {
    const V g = hn::Set(d, list.slope[n]);
    float* patch = gradient + list.patch[n];
    for (int r = 0; r < 3; ++r)
      for (int v = 0; v < kVectors; ++v) {
        float* p = patch + r * row_stride + v * kLanes;
        hn::StoreU(hn::MulAdd(g, hn::Load(d, weights + r * weight_stride + v * kLanes), hn::LoadU(d, p)), d,
                   p);
      }
  }
}

// slope: gradient of the stage's pooled output, as code planes for stage 2, else as pixels. back: weights for
// the input's gradient, null for stage 0. The kernel's gradient is multiplied by kernel_scale.
template <int kStage>
HWY_NOINLINE void stage_backward(const float* HWY_RESTRICT slope, const float* HWY_RESTRICT back,
                                 float kernel_scale, Workspace& workspace, float* HWY_RESTRICT gradient) {
  constexpr PixelShape kIn = encoder_pixels(kStage);
  constexpr int kOutputs = stage_of(kStage).out_channels;
  constexpr int kSize = kIn.grid / 2;
  constexpr int kVectors = vector_count(3 * kIn.channels);
  constexpr int kTotalRow = round_up(3 * kIn.channels, kMaxLanes);
  // As many patch rows at once as registers allow.
  constexpr bool kAllRows = 2 * 3 * kVectors <= (kManyRegisters ? 24 : 12);
  alignas(64) float total[kOutputs][3][kTotalRow] = {};
  double bias[kOutputs] = {};
  Winners list;
  float* input_gradient = workspace.pixel_gradient[kStage];
  if constexpr (kStage > 0) {
    for (int n = 0; n < kIn.size(); ++n) input_gradient[n] = 0.0F;
  }
  for (int i = 0; i < kSize; ++i) {
    const float* row = slope + kCodePlanes.row(i);
    int64_t channel_stride = kCodePlanes.channel_stride();
    if constexpr (kStage < 2) {
      // Columns 38 and 39 of a width of 38 are of no window.
      transpose(slope + encoder_pixels(kStage + 1).at(i, 0), kOutputs, round_up(kSize, 4), kOutputs,
                workspace.rows, kRowPitch);
      row = workspace.rows;
      channel_stride = kRowPitch;
    }
    for (int k = 0; k < kOutputs; ++k) {
      list_winners<kStage>(workspace.winners[kStage] + (k * kSize + i) * winner_pitch(kStage),
                           row + k * channel_stride, i, list);
      bias[k] += sum_slopes(list);
      const float* pixels = workspace.encoder_pixels[kStage];
      if constexpr (kAllRows) {
        add_patches<3, kVectors>(list, pixels, kIn.row_stride(), kTotalRow, total[k][0]);
      } else {
        for (int r = 0; r < 3; ++r)
          add_patches<1, kVectors>(list, pixels + r * kIn.row_stride(), 0, 0, total[k][r]);
      }
      if constexpr (kStage > 0) {
        scatter_patches<kVectors>(list, back + k * 3 * kTotalRow, kTotalRow, kIn.row_stride(),
                                  input_gradient);
      }
    }
  }
  for (int k = 0; k < kOutputs; ++k) {
    for (int tap = 0; tap < kTaps; ++tap)
      for (int c = 0; c < kIn.channels; ++c)
        gradient[kernel_offset(kStage) + (tap * kIn.channels + c) * kOutputs + k] =
            kernel_scale * total[k][tap / 3][tap % 3 * kIn.channels + c];
    gradient[bias_offset(kStage) + k] = static_cast<float>(bias[k]);
  }
}

// The image's bytes as floats in pixel rows; grid pixel (y, x) is image pixel (y - 1, x - 1).
HWY_NOINLINE void image_pixels(const uint8_t* HWY_RESTRICT image, float* HWY_RESTRICT pixels) {
  constexpr PixelShape kShape = encoder_pixels(0);
  constexpr int kRow = kImageSize * kImageChannels;
  const Floats d;
  const hn::Rebind<int32_t, Floats> ints;
  const hn::Rebind<uint8_t, Floats> bytes;
  for (int y = 0; y < kImageSize; ++y) {
    const uint8_t* source = image + y * kRow;
    float* out = pixels + kShape.at(y + 1, 1);
    for (int block = 0; block < kRow; block += kLanes) {
      // The last block overlaps the one before it.
      const int n = HWY_MIN(block, kRow - kLanes);
      hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(ints, hn::LoadU(bytes, source + n))), d, out + n);
    }
  }
}

void EncoderBackward(const PackedParameters& packed, const uint8_t* image, Workspace& workspace,
                     float* gradient) {
  image_pixels(image, workspace.encoder_pixels[0]);
  stage_backward<2>(workspace.code_gradient, packed.enc3_back.data(), 1.0F, workspace, gradient);
  stage_backward<1>(workspace.pixel_gradient[2], packed.enc2_back.data(), 1.0F, workspace, gradient);
  stage_backward<0>(workspace.pixel_gradient[1], nullptr, 1.0F / 255.0F, workspace, gradient);
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(EncoderBackward);

void encoder_backward(const PackedParameters& packed, const uint8_t* image, Workspace& workspace,
                      float* gradient) {
  HWY_DYNAMIC_DISPATCH(EncoderBackward)(packed, image, workspace, gradient);
}

}  // namespace lookalike::cpu
#endif
