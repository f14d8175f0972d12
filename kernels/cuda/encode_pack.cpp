// The encoder's weights in the order in which the lanes of a warp hold them as fragments. In a fragment of B,
// lane l holds rows (k) 2 t and 2 t + 1 of column (output channel) g, with g = l / 4 and t = l % 4.
#include "kernels/cuda/encode_half.h"
#include "kernels/cuda/half.h"

namespace lookalike::cuda {
namespace {

constexpr double kPixelScale = 16.0 / 255.0;  // of enc1: activations are stored times 16
constexpr double kSecondScale = 1.0 / 16.0;

class Kernel {
 public:
  Kernel(std::span<const float> parameters, int stage)
      : stage_(kStages[static_cast<std::size_t>(stage)]),
        kernel_(parameters.subspan(static_cast<std::size_t>(kernel_offset(stage)))),
        bias_(parameters.subspan(static_cast<std::size_t>(bias_offset(stage)))) {}

  double at(int tap, int in, int out) const {
    return static_cast<double>(
        kernel_[static_cast<std::size_t>((tap * stage_.in_channels + in) * stage_.out_channels + out)]);
  }
  float bias(int out) const { return bias_[static_cast<std::size_t>(out)]; }

 private:
  const Stage& stage_;
  std::span<const float> kernel_, bias_;
};

std::uint32_t pair(double low, double high) {
  return gpu::half_bits(static_cast<float>(low)) |
         static_cast<std::uint32_t>(gpu::half_bits(static_cast<float>(high))) << 16;
}

// Of the patch of 4 x 4 pixels below a pool window, row t gives 12 numbers. Variant v is the convolution at
// (v / 2, v % 2) of the window; its weights are 0 where it does not reach.
double first_weight(const Kernel& kernel, int variant, int row, int number, int out) {
  const int tap_y = row - variant / 2, tap_x = number / 3 - variant % 2;
  if (tap_y < 0 || tap_y > 2 || tap_x < 0 || tap_x > 2) return 0.0;
  return kernel.at(tap_y * 3 + tap_x, number % 3, out) * kPixelScale;
}

}  // namespace

EncoderWeights pack_encoder(std::span<const float> parameters) {
  const Kernel first(parameters, 0), second(parameters, 1), third(parameters, 2);
  EncoderWeights w{};
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    const auto slot = [lane](int i) { return static_cast<std::size_t>(i * 32 + lane); };
    // Output channels are spread so that thread t ends with channels 4 t .. 4 t + 3.
    for (int v = 0; v < 4; ++v)
      for (int n = 0; n < 2; ++n)
        for (int i = 0; i < 6; ++i) {
          const int number = 2 * i, out = 4 * (g / 2) + 2 * n + g % 2;
          w.kernel1[slot((v * 2 + n) * 6 + i)] =
              pair(first_weight(first, v, t, number, out), first_weight(first, v, t, number + 1, out));
        }
    for (int i = 0; i < 4; ++i) w.bias1[slot(i)] = first.bias(4 * t + i) * 16.0F;
    for (int tap = 0; tap < kTaps; ++tap) {
      for (int half = 0; half < 2; ++half) {
        const int in = 8 * half + 2 * t;
        w.kernel2[slot(tap * 2 + half)] =
            pair(second.at(tap, in, g) * kSecondScale, second.at(tap, in + 1, g) * kSecondScale);
      }
      w.kernel3[slot(tap)] = pair(third.at(tap, 2 * t, g), third.at(tap, 2 * t + 1, g));
    }
    for (int j = 0; j < 2; ++j) {
      w.bias2[slot(j)] = second.bias(2 * t + j);
      w.bias3[slot(j)] = third.bias(2 * t + j);
    }
  }
  return w;
}

}  // namespace lookalike::cuda
