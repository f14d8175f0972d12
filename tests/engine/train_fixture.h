// What tests of the training loop share: a device whose arithmetic can be followed by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/train.h"

namespace lookalike {

// Every image carries its index in its first bytes; other bytes vary a little, so that a network can learn.
inline ImageSource numbered_images(int64_t size) {
  return {size, [](std::span<const int64_t> indices, std::span<uint8_t> out) {
            ASSERT_EQ(out.size(), indices.size() * std::size_t{kImageBytes});
            for (std::size_t i = 0; i < indices.size(); ++i) {
              const auto image = out.subspan(i * std::size_t{kImageBytes}, std::size_t{kImageBytes});
              for (std::size_t b = 0; b < image.size(); ++b) {
                image[b] = static_cast<uint8_t>(40 * indices[i] + static_cast<int64_t>(b % 97));
              }
              image[0] = static_cast<uint8_t>(indices[i]);
            }
          }};
}

// Parameters and loss depend on every image and on the order of steps; the state is complete, so that a copy
// goes on as the original.
class FakeDevice : public Device {
 public:
  std::vector<std::vector<int>> batches;  // first byte of each image trained on
  std::vector<double> validation;         // loss() gives these, one a call; then 0.5
  int64_t fail_at_step = -1;              // optimizer step whose loss is not finite

  void set_parameters(std::span<const float> parameters) override {
    parameters_.assign(parameters.begin(), parameters.end());
  }
  void get_parameters(std::span<float> parameters) const override {
    std::copy(parameters_.begin(), parameters_.end(), parameters.begin());
  }
  void set_optimizer(const OptimizerState& state) override { optimizer_ = state; }
  OptimizerState optimizer() const override { return optimizer_; }
  void encode(std::span<const uint8_t>, std::span<float>) override {}
  void decode(std::span<const float>, std::span<uint8_t>) override {}
  double loss(std::span<const uint8_t>) override {
    return calls_ < validation.size() ? validation[calls_++] : 0.5;
  }
  double train_step(std::span<const uint8_t> images, const AdamOptions& options) override {
    if (optimizer_.step == fail_at_step) throw non_finite_error("gradient of enc2.kernel is not finite");
    ++optimizer_.step;
    batches.emplace_back();
    double loss = 0;
    for (std::size_t i = 0; i < images.size(); i += std::size_t{kImageBytes}) {
      batches.back().push_back(images[i]);
      loss += images[i];
    }
    loss /= static_cast<double>(batches.back().size());
    optimizer_.m[0] = 0.9F * optimizer_.m[0] + static_cast<float>(loss);
    parameters_[0] -= static_cast<float>(options.learning_rate) * optimizer_.m[0];
    return loss;
  }
  void nearest(const SearchBlock&, TopK&) override {}
  DeviceFacts facts() const override { return {}; }

 private:
  std::vector<float> parameters_ = std::vector<float>(kParameterCount, 0.0F);
  OptimizerState optimizer_;
  std::size_t calls_ = 0;
};

inline TrainObserver silent() {
  return {[](const TrainPosition&, double) { return false; }, [](const TrainPosition&, const EpochResult&) {},
          [](const TrainPosition&) {}};
}

}  // namespace lookalike
