// Parameters on the device: topology.h's flat array with each kernel (R, S, C, K) turned to (K, R, S, C), as
// cuDNN takes it beside NHWC. Adam does not mind, so they are turned on the way in and out alone.
#pragma once

#include <span>

#include "kernels/topology.h"

namespace lookalike::cuda {

// visit(index in topology.h's order, index on the device) for every parameter.
template <class Visit>
void for_each_parameter(const Visit& visit) {
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    const int offset = kernel_offset(s);
    for (int tap = 0; tap < kTaps; ++tap)
      for (int c = 0; c < stage.in_channels; ++c)
        for (int k = 0; k < stage.out_channels; ++k)
          visit(offset + (tap * stage.in_channels + c) * stage.out_channels + k,
                offset + (k * kTaps + tap) * stage.in_channels + c);
    for (int k = 0; k < stage.out_channels; ++k) visit(bias_offset(s) + k, bias_offset(s) + k);
  }
}

inline void to_device_order(std::span<const float> flat, std::span<float> device) {
  for_each_parameter(
      [&](int from, int to) { device[static_cast<std::size_t>(to)] = flat[static_cast<std::size_t>(from)]; });
}
inline void from_device_order(std::span<const float> device, std::span<float> flat) {
  for_each_parameter(
      [&](int to, int from) { flat[static_cast<std::size_t>(to)] = device[static_cast<std::size_t>(from)]; });
}

}  // namespace lookalike::cuda
