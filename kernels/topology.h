// The network as data: every shape and offset of the project is derived from kStages.
//
// Dimension letters: N images, H rows, W columns, C input channels, K output channels, R x S filter taps
// (3 x 3), D numbers of a code. Activations are (N, H, W, C) where they leave the kernels; convolution
// kernels are (R, S, C, K), as Keras keeps them (HWIO).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lookalike {

inline constexpr int kImageSize = 150;    // pixels, height and width
inline constexpr int kImageChannels = 3;  // blue, green, red
inline constexpr int kBorder = 1;         // zero pixels added on each side
inline constexpr int kGridSize = kImageSize + 2 * kBorder;
inline constexpr int64_t kImageBytes = int64_t{kImageSize} * kImageSize * kImageChannels;
inline constexpr int kTaps = 9;  // R * S of every convolution

enum class Tail {
  kPool,      // bias, ReLU, 2x2 max pool: the first of equals in row order is the maximum
  kUpsample,  // bias, ReLU, nearest x2
  kSigmoid,   // bias, sigmoid, crop of kBorder
};

// One 3x3 'same' convolution with what follows it.
struct Stage {
  std::string_view name;
  int grid;  // H = W of the convolution, in and out
  int in_channels;
  int out_channels;
  Tail tail;

  constexpr int output_size() const {
    return tail == Tail::kPool ? grid / 2 : tail == Tail::kUpsample ? grid * 2 : grid - 2 * kBorder;
  }
  constexpr int kernel_count() const { return kTaps * in_channels * out_channels; }
  constexpr int parameter_count() const { return kernel_count() + out_channels; }
};

inline constexpr std::array<Stage, 7> kStages = {{
    {"enc1", 152, 3, 16, Tail::kPool},
    {"enc2", 76, 16, 8, Tail::kPool},
    {"enc3", 38, 8, 8, Tail::kPool},
    {"dec1", 19, 8, 8, Tail::kUpsample},
    {"dec2", 38, 8, 8, Tail::kUpsample},
    {"dec3", 76, 8, 16, Tail::kUpsample},
    {"dec4", 152, 16, 3, Tail::kSigmoid},
}};
inline constexpr int kStageCount = static_cast<int>(kStages.size());
inline constexpr int kEncoderStages = 3;

// Parameters lie in one flat array: for each stage its kernel (R, S, C, K), then its bias (K).
constexpr int kernel_offset(int stage) {
  int offset = 0;
  for (int s = 0; s < stage; ++s) offset += kStages[static_cast<std::size_t>(s)].parameter_count();
  return offset;
}
constexpr int bias_offset(int stage) {
  return kernel_offset(stage) + kStages[static_cast<std::size_t>(stage)].kernel_count();
}
inline constexpr int kParameterCount = kernel_offset(kStageCount);

inline constexpr int kCodeSize = kStages[2].output_size();  // H = W of the code
inline constexpr int kCodeChannels = kStages[2].out_channels;
inline constexpr int kCodeLength = kCodeSize * kCodeSize * kCodeChannels;  // D, flattened (H, W, C)

constexpr bool stages_fit() {
  for (std::size_t s = 1; s < kStages.size(); ++s) {
    if (kStages[s].grid != kStages[s - 1].output_size()) return false;
    if (kStages[s].in_channels != kStages[s - 1].out_channels) return false;
  }
  return kStages.front().grid == kGridSize && kStages.back().output_size() == kImageSize &&
         kStages.front().in_channels == kImageChannels && kStages.back().out_channels == kImageChannels;
}
static_assert(stages_fit());
static_assert(kParameterCount == 4963);
static_assert(kCodeLength == 2888);

// Loss: binary cross-entropy, mean over N, H, W, C, of probabilities clipped to [kClip, 1 - kClip].
inline constexpr double kProbabilityClip = 1e-7;

}  // namespace lookalike
