// The kernels' memory: split planes, plain planes and pixel rows of one image.
//
// Split planes (C, H, 2, pitch): each row of each channel lies as its even columns E[j] = x[2 j] and then its
// odd columns O[j] = x[2 j + 1], so that the four convolution outputs of a pool window, or of an upsampled
// pixel, are four vectors of one column index j. Plain planes (C, H, pitch) keep the columns in order.
//
// Every plane has a zero row above and below, and a pitch of at least width + 1 whose slots from `width` on
// are zero: slot -1 of a row is the last slot of the row before it. Loads may run past `width` into whatever
// follows; stores past it write zeros only.
//
// Pixel rows (H + 2, row_stride) keep channels innermost, with a border of zero pixels: what the backward
// pass of the encoder reads around one pixel is then contiguous.
#pragma once

#include <hwy/aligned_allocator.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/autoencoder.h"

namespace lookalike::cpu {

inline constexpr int kMaxLanes = 16;  // floats of the longest vector that the kernels use

constexpr int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

struct PlaneShape {
  int channels;
  int grid;      // rows of the convolution that reads or writes it
  int parities;  // 2: split, 1: plain

  constexpr int width() const { return grid / parities; }
  constexpr int pitch() const { return round_up(width() + 1, kMaxLanes); }
  constexpr int row_stride() const { return parities * pitch(); }
  constexpr int channel_stride() const { return (grid + 2) * row_stride(); }
  constexpr int size() const { return channels * channel_stride(); }
  // Of row y, -1 to grid.
  constexpr int row(int y) const { return (y + 1) * row_stride(); }
};

struct PixelShape {
  int channels;
  int grid;

  constexpr int row_stride() const { return round_up((grid + 2) * channels, kMaxLanes); }
  constexpr int size() const { return (grid + 2) * row_stride(); }
  // Of pixel (y, x), each -1 to grid.
  constexpr int at(int y, int x) const { return (y + 1) * row_stride() + (x + 1) * channels; }
};

constexpr const Stage& stage_of(int index) { return kStages[static_cast<std::size_t>(index)]; }
constexpr PlaneShape input_planes(int stage, int parities) {
  return {stage_of(stage).in_channels, stage_of(stage).grid, parities};
}

// What encoder stage 0..2 reads, split; stage 0's are bytes as floats, 0 to 255.
constexpr PlaneShape encoder_planes(int stage) { return input_planes(stage, 2); }
constexpr PixelShape encoder_pixels(int stage) { return {stage_of(stage).in_channels, stage_of(stage).grid}; }
// Low-resolution output of decoder stage 3..5, plain; for stage 2 the code.
constexpr PlaneShape low_planes(int stage) {
  return {stage_of(stage).out_channels, stage < 3 ? kCodeSize : stage_of(stage).grid, 1};
}
// Gradient of decoder stage 3..6's convolution output: plain for stage 3, whose input is not upsampled.
constexpr PlaneShape gradient_planes(int stage) {
  return {stage_of(stage).out_channels, stage_of(stage).grid, stage == 3 ? 1 : 2};
}
inline constexpr PlaneShape kCodePlanes = low_planes(2);

// Position of the maximum in each pool window of encoder stage 0..2, (K, H / 2, pitch): 0 to 3 in row order,
// or kNoWinner where ReLU left nothing.
inline constexpr uint8_t kNoWinner = 4;
constexpr int winner_pitch(int stage) { return round_up(stage_of(stage).grid / 2, kMaxLanes); }
constexpr int winner_count(int stage) {
  return stage_of(stage).out_channels * (stage_of(stage).grid / 2) * winner_pitch(stage);
}

inline constexpr int kRowPitch = 128;    // one row of one channel, interleaved or not
inline constexpr int kRowChannels = 16;  // the most that any stage has

class Workspace {
 public:
  Workspace();

  std::array<float*, 3> encoder_in{};       // encoder_planes(0..2)
  std::array<float*, 3> encoder_pixels{};   // encoder_pixels(0..2), filled for the gradient only
  std::array<uint8_t*, 3> winners{};        // filled for the gradient only
  std::array<float*, 4> low{};              // the code, then the outputs of dec1 to dec3
  std::array<float*, 4> output_gradient{};  // gradient_planes(3..6); [3] also takes the probabilities
  float* code_gradient = nullptr;           // kCodePlanes
  std::array<float*, 3> pixel_gradient{};   // as encoder_pixels; [0] is null: the image has none
  float* rows = nullptr;                    // (2 kRowChannels, kRowPitch)

 private:
  hwy::AlignedFreeUniquePtr<float[]> floats_;
  hwy::AlignedFreeUniquePtr<uint8_t[]> bytes_;
};

// Convolution weights stand in blocks of kBlock output channels: (ceil(K / block), sources, block).
inline constexpr int kBlock = 4;
inline constexpr int kOutputBlock = 3;  // dec4 has three

// Phases of upsampling and convolution, exact at the borders: output (2 y + a, 2 x + b) reads low-resolution
// (y + a - 1 + r, x + b - 1 + s), r, s in {0, 1}, with the sum of the taps that fall there. phase_of_tap(a,
// t) is the r (or s) that tap t belongs to.
constexpr int phase_of_tap(int parity, int tap) {
  return parity == 0 ? (tap == 0 ? 0 : 1) : (tap == 2 ? 1 : 0);
}

class PackedParameters {
 public:
  // Encoder stage: [k / 4][c][tap][k % 4].
  alignas(64) std::array<float, 3 * kTaps * 16> enc1;
  alignas(64) std::array<float, 16 * kTaps * 8> enc2;
  alignas(64) std::array<float, 8 * kTaps * 8> enc3;
  // Encoder backward, data: [k][r][s][c], each (s, c) row padded with zeros to kMaxLanes.
  alignas(64) std::array<float, 8 * 3 * 48> enc2_back;
  alignas(64) std::array<float, 8 * 3 * 32> enc3_back;
  // dec1: [k / 4][c][tap][k % 4]; backward [c / 4][k][tap][c % 4].
  alignas(64) std::array<float, 8 * kTaps * 8> dec1;
  alignas(64) std::array<float, 8 * kTaps * 8> dec1_back;
  // Phases: [a][b][k / block][c][r][s][k % block]; backward [c / 4][k][a][b][r][s][c % 4].
  alignas(64) std::array<float, 16 * 8 * 8> dec2;
  alignas(64) std::array<float, 16 * 8 * 8> dec2_back;
  alignas(64) std::array<float, 16 * 8 * 16> dec3;
  alignas(64) std::array<float, 16 * 8 * 16> dec3_back;
  alignas(64) std::array<float, 16 * 16 * 3> dec4;
  alignas(64) std::array<float, 16 * 16 * 3> dec4_back;
  // Biases of all stages, kRowChannels apart.
  alignas(64) std::array<float, kStageCount * kRowChannels> bias;
};

}  // namespace lookalike::cpu
