// Devices with random parameters, and a few random images.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "tests/cuda/device_test.h"
#include "tests/cuda_device/device_under_test.h"
#include "tests/support/inputs.h"

namespace lookalike::test {

class CudaDeviceTest : public DeviceTest {
 protected:
  static constexpr std::int64_t kMost = 5;
  std::unique_ptr<Device> device(std::int64_t forward_images = 2, std::int64_t training_images = 3) const {
    auto device = small_cuda_device(forward_images, training_images);
    device->set_parameters(parameters_);
    return device;
  }
  std::span<const std::uint8_t> images(std::int64_t first, std::int64_t count) const {
    return std::span(images_).subspan(static_cast<std::size_t>(first * kImageBytes),
                                      static_cast<std::size_t>(count * kImageBytes));
  }
  static std::vector<float> parameters_of(const Device& device) {
    std::vector<float> parameters(kParameterCount);
    device.get_parameters(parameters);
    return parameters;
  }
  // Parameters, m and v.
  static std::vector<float> state_of(const Device& device) {
    std::vector<float> all = parameters_of(device);
    const OptimizerState state = device.optimizer();
    all.insert(all.end(), state.m.begin(), state.m.end());
    all.insert(all.end(), state.v.begin(), state.v.end());
    return all;
  }
  const std::vector<float> parameters_ = random_parameters(kStages, 122);
  const std::vector<std::uint8_t> images_ = random_image(121, kMost* kImageBytes);
};

}  // namespace lookalike::test
