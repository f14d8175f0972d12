#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <new>

#include "kernels/cpu/planes.h"

namespace lookalike::cpu {
namespace {

// One stage's kernel in Keras's order.
struct Kernel {
  const float* data;
  int in_channels;
  int out_channels;

  float at(int tap, int c, int k) const { return data[(tap * in_channels + c) * out_channels + k]; }
  // Sum of the taps that phase (a, b) reads at (r, s).
  float phase(int a, int b, int r, int s, int c, int k) const {
    double sum = 0.0;
    for (int tap = 0; tap < kTaps; ++tap) {
      if (phase_of_tap(a, tap / 3) == r && phase_of_tap(b, tap % 3) == s) sum += at(tap, c, k);
    }
    return static_cast<float>(sum);
  }
};

void pack_taps(const Kernel& kernel, double scale, float* out) {
  for (int k0 = 0; k0 < kernel.out_channels; k0 += kBlock)
    for (int c = 0; c < kernel.in_channels; ++c)
      for (int tap = 0; tap < kTaps; ++tap)
        for (int k = k0; k < k0 + kBlock; ++k) *out++ = static_cast<float>(kernel.at(tap, c, k) * scale);
}

void pack_taps_back(const Kernel& kernel, float* out) {
  for (int c0 = 0; c0 < kernel.in_channels; c0 += kBlock)
    for (int k = 0; k < kernel.out_channels; ++k)
      for (int tap = 0; tap < kTaps; ++tap)
        for (int c = c0; c < c0 + kBlock; ++c) *out++ = kernel.at(tap, c, k);
}

void pack_phases(const Kernel& kernel, int block, float* out) {
  for (int phase = 0; phase < 4; ++phase)
    for (int k0 = 0; k0 < kernel.out_channels; k0 += block)
      for (int c = 0; c < kernel.in_channels; ++c)
        for (int tap = 0; tap < 4; ++tap)
          for (int k = k0; k < k0 + block; ++k)
            *out++ = kernel.phase(phase / 2, phase % 2, tap / 2, tap % 2, c, k);
}

void pack_phases_back(const Kernel& kernel, float* out) {
  for (int c0 = 0; c0 < kernel.in_channels; c0 += kBlock)
    for (int k = 0; k < kernel.out_channels; ++k)
      for (int phase = 0; phase < 4; ++phase)
        for (int tap = 0; tap < 4; ++tap)
          for (int c = c0; c < c0 + kBlock; ++c)
            *out++ = kernel.phase(phase / 2, phase % 2, tap / 2, tap % 2, c, k);
}

void pack_rows(const Kernel& kernel, float* out) {
  const int row = round_up(3 * kernel.in_channels, kMaxLanes);
  std::fill_n(out, kernel.out_channels * 3 * row, 0.0F);
  for (int k = 0; k < kernel.out_channels; ++k)
    for (int tap = 0; tap < kTaps; ++tap)
      for (int c = 0; c < kernel.in_channels; ++c)
        out[(k * 3 + tap / 3) * row + (tap % 3) * kernel.in_channels + c] = kernel.at(tap, c, k);
}

}  // namespace

Workspace::Workspace() {
  // A gap of zeros before each region: slot -1 of its first row, and what the last vectors read past its end.
  constexpr std::size_t kGap = 4 * kMaxLanes;
  std::size_t float_count = kGap;
  std::size_t byte_count = 0;
  const auto take = [](std::size_t& count, int size, std::size_t gap) {
    const std::size_t start = count;
    count += static_cast<std::size_t>(round_up(size, kMaxLanes)) + gap;
    return start;
  };
  // Twice the same walk: first to count, then to hand out.
  for (const bool hand_out : {false, true}) {
    if (hand_out) {
      floats_ = hwy::AllocateAligned<float>(float_count);
      bytes_ = hwy::AllocateAligned<uint8_t>(byte_count);
      if (!floats_ || !bytes_) throw std::bad_alloc();
      std::fill_n(floats_.get(), float_count, 0.0F);
      std::fill_n(bytes_.get(), byte_count, uint8_t{0});
      float_count = kGap;
      byte_count = 0;
    }
    const auto region = [&](int size) { return floats_.get() + take(float_count, size, kGap); };
    for (int s = 0; s < 3; ++s) {
      const auto i = static_cast<std::size_t>(s);
      encoder_in[i] = region(encoder_planes(s).size());
      encoder_pixels[i] = region(cpu::encoder_pixels(s).size());
      if (s > 0) pixel_gradient[i] = region(cpu::encoder_pixels(s).size());
      winners[i] = bytes_.get() + take(byte_count, winner_count(s), 0);
    }
    for (int s = 0; s < 4; ++s) {
      low[static_cast<std::size_t>(s)] = region(low_planes(s + 2).size());
      output_gradient[static_cast<std::size_t>(s)] = region(gradient_planes(s + 3).size());
    }
    code_gradient = region(kCodePlanes.size());
    rows = region(2 * kRowChannels * kRowPitch);
  }
}

void PackedDeleter::operator()(PackedParameters* packed) const noexcept { delete packed; }
void WorkspaceDeleter::operator()(Workspace* workspace) const noexcept { delete workspace; }

PackedPointer make_packed_parameters() { return PackedPointer(new PackedParameters()); }
WorkspacePointer make_workspace() { return WorkspacePointer(new Workspace()); }

void pack(std::span<const float, kParameterCount> parameters, PackedParameters& packed) {
  const auto kernel = [&](int stage) {
    return Kernel{parameters.data() + kernel_offset(stage), stage_of(stage).in_channels,
                  stage_of(stage).out_channels};
  };
  pack_taps(kernel(0), 1.0 / 255.0, packed.enc1.data());
  pack_taps(kernel(1), 1.0, packed.enc2.data());
  pack_taps(kernel(2), 1.0, packed.enc3.data());
  pack_rows(kernel(1), packed.enc2_back.data());
  pack_rows(kernel(2), packed.enc3_back.data());
  pack_taps(kernel(3), 1.0, packed.dec1.data());
  pack_taps_back(kernel(3), packed.dec1_back.data());
  pack_phases(kernel(4), kBlock, packed.dec2.data());
  pack_phases_back(kernel(4), packed.dec2_back.data());
  pack_phases(kernel(5), kBlock, packed.dec3.data());
  pack_phases_back(kernel(5), packed.dec3_back.data());
  pack_phases(kernel(6), kOutputBlock, packed.dec4.data());
  pack_phases_back(kernel(6), packed.dec4_back.data());
  for (int s = 0; s < kStageCount; ++s) {
    std::copy_n(parameters.data() + bias_offset(s), stage_of(s).out_channels,
                packed.bias.data() + s * kRowChannels);
  }
}

}  // namespace lookalike::cpu
