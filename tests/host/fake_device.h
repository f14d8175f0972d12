// A device whose codes are plain pixels: host code is tested without the network.
#pragma once

#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "engine/nearest.h"

namespace lookalike {

class FakeDevice : public Device {
 public:
  static constexpr int64_t kStep = 23;  // a code's number i is pixel byte i * kStep

  void set_precision(Precision precision) override {
    if (precision == Precision::kHalf && !has_half) throw usage_error("no fp16 here");
    half = precision == Precision::kHalf;
  }
  void encode(std::span<const uint8_t> images, std::span<float> codes) override {
    ++encode_calls;
    std::this_thread::sleep_for(delay);
    if (encode_calls == fail_at) throw std::runtime_error("the device broke");
    const auto count = static_cast<int64_t>(images.size()) / kImageBytes;
    for (int64_t n = 0; n < count; ++n) {
      const uint8_t* image = images.data() + n * kImageBytes;
      float* code = codes.data() + n * kCodeLength;
      for (int64_t i = 0; i < kCodeLength; ++i) code[i] = static_cast<float>(image[i * kStep]) / 255.0F;
      if (nan_for_black && image[0] == 0) code[5] = std::nanf("");
    }
  }
  void decode(std::span<const float> codes, std::span<uint8_t> images) override {
    for (std::size_t i = 0; i < images.size(); ++i) {
      images[i] = static_cast<uint8_t>(255.0F * codes[i / std::size_t{kImageBytes} * kCodeLength]);
    }
  }
  void nearest(const SearchBlock& block, TopK& best) override { nearest_on_cpu(block, best, pool_); }

  void set_parameters(std::span<const float>) override { refuse(); }
  void get_parameters(std::span<float>) const override { refuse(); }
  void set_optimizer(const OptimizerState&) override { refuse(); }
  OptimizerState optimizer() const override { return refuse(), OptimizerState(); }
  double loss(std::span<const uint8_t>) override { return refuse(), 0.0; }
  double train_step(std::span<const uint8_t>, const AdamOptions&) override { return refuse(), 0.0; }
  DeviceFacts facts() const override { return {}; }

  int encode_calls = 0;
  int fail_at = 0;  // which call of encode throws; 0: none
  bool nan_for_black = false;
  std::chrono::milliseconds delay{0};   // of each call of encode
  bool has_half = false, half = false;  // codes are the same

 private:
  ThreadPool pool_{2};
  static void refuse() { throw std::logic_error("not a part of this device"); }
};

}  // namespace lookalike
