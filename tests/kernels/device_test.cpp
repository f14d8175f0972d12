// What the CPU device promises beyond its kernels: the same bytes for any number of threads and any place in
// a batch, and a refusal that changes nothing when numbers stop being numbers.
#include "engine/device.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/inputs.h"
#include "tests/support/targets.h"

namespace lookalike::test {
namespace {

constexpr std::array<int, 3> kThreads = {1, 2, 3};
constexpr int64_t kMost = 33;

// Threads and batches are the device's, not the instruction set's: all sizes on the best one, few on the
// others.
std::vector<int64_t> batches(int64_t instruction_set) {
  if (instruction_set == supported_targets().front()) return {0, 1, 2, 31, 32, kMost};
  return {0, 1, 4};
}

class DeviceBytes : public TargetTest {
 protected:
  void SetUp() override {
    batches_ = batches(GetParam());
    TargetTest::SetUp();
    images_ = random_image(121, kMost * kImageBytes);
  }
  std::span<const uint8_t> batch(int64_t n) const {
    return std::span(images_).first(static_cast<std::size_t>(n * kImageBytes));
  }
  std::unique_ptr<Device> device(int threads) const {
    auto device = make_cpu_device(threads);
    device->set_parameters(parameters_);
    return device;
  }
  std::vector<float> parameters_ = random_parameters(kStages, 122);
  std::vector<uint8_t> images_;
  std::vector<int64_t> batches_;
};

TEST_P(DeviceBytes, CodesDependOnTheirImageAlone) {
  std::vector<float> expected;
  const auto one = device(1);
  for (int64_t n = 0; n < batches_.back(); ++n) {
    std::vector<float> code(kCodeLength, NAN);
    one->encode(std::span(images_).subspan(static_cast<std::size_t>(n * kImageBytes), kImageBytes), code);
    expected.insert(expected.end(), code.begin(), code.end());
  }
  for (const int threads : kThreads)
    for (const int64_t n : batches_) {
      Guarded<float> codes(n * kCodeLength);
      device(threads)->encode(batch(n), codes.span());
      EXPECT_TRUE(codes.intact());
      EXPECT_TRUE(same_bytes<float>(
          {"encode", {n, kCodeLength}, "batch " + std::to_string(n) + ", threads " + std::to_string(threads)},
          std::span(expected).first(static_cast<std::size_t>(n * kCodeLength)), codes.span()));
    }
}

TEST_P(DeviceBytes, ReconstructionsDependOnTheirCodeAlone) {
  const std::vector<float> codes = random_floats(kMost * kCodeLength, 0.0, 2.0, 123);
  std::vector<uint8_t> expected;
  const auto one = device(1);
  for (int64_t n = 0; n < batches_.back(); ++n) {
    std::vector<uint8_t> image(kImageBytes);
    one->decode(std::span(codes).subspan(static_cast<std::size_t>(n * kCodeLength), kCodeLength), image);
    expected.insert(expected.end(), image.begin(), image.end());
  }
  for (const int threads : kThreads)
    for (const int64_t n : batches_) {
      Guarded<uint8_t> images(n * kImageBytes);
      device(threads)->decode(std::span(codes).first(static_cast<std::size_t>(n * kCodeLength)),
                              images.span());
      EXPECT_TRUE(images.intact());
      EXPECT_TRUE(same_bytes<uint8_t>({"decode",
                                       {n, kImageSize, kImageSize, kImageChannels},
                                       "batch " + std::to_string(n) + ", threads " + std::to_string(threads)},
                                      std::span(expected).first(static_cast<std::size_t>(n * kImageBytes)),
                                      images.span()));
    }
}

TEST_P(DeviceBytes, TrainingIsTheSameForAnyNumberOfThreads) {
  std::vector<double> losses;
  OptimizerState state;
  std::vector<float> parameters(kParameterCount);
  for (const int threads : kThreads) {
    const auto trained = device(threads);
    std::vector<double> actual_losses;
    for (const int64_t n : batches_) {
      if (n == 0) continue;
      actual_losses.push_back(trained->loss(batch(n)));
      actual_losses.push_back(trained->train_step(batch(n), {}));
      // Forward is the same code with and without the gradient.
      EXPECT_EQ(actual_losses.back(), actual_losses[actual_losses.size() - 2]) << "batch " << n;
    }
    std::vector<float> actual(kParameterCount);
    trained->get_parameters(actual);
    const OptimizerState optimizer = trained->optimizer();
    EXPECT_EQ(optimizer.step, std::ssize(batches_) - 1);
    if (threads == 1) {
      losses = actual_losses;
      parameters = actual;
      state = optimizer;
      EXPECT_NE(parameters, parameters_);
      continue;
    }
    const std::string inputs = "threads " + std::to_string(threads);
    EXPECT_TRUE(same_bytes<double>({"losses", {std::ssize(losses)}, inputs}, losses, actual_losses));
    EXPECT_TRUE(same_bytes<float>({"parameters", {kParameterCount}, inputs}, parameters, actual));
    EXPECT_TRUE(same_bytes<float>({"m", {kParameterCount}, inputs}, state.m, optimizer.m));
    EXPECT_TRUE(same_bytes<float>({"v", {kParameterCount}, inputs}, state.v, optimizer.v));
  }
}

TEST_P(DeviceBytes, LossOfABatchIsTheMeanOfItsImages) {
  const auto one = device(2);
  double sum = 0.0;
  for (int64_t n = 0; n < 3; ++n)
    sum += one->loss(std::span(images_).subspan(static_cast<std::size_t>(n * kImageBytes), kImageBytes));
  EXPECT_NEAR(one->loss(batch(3)), sum / 3.0, 1e-15 * 10);
}

TEST_P(DeviceBytes, StateGoesInAndOutUnchanged) {
  const auto one = device(1);
  OptimizerState state{random_floats(kParameterCount, -1.0, 1.0, 124),
                       random_floats(kParameterCount, 0.0, 1.0, 125), 77};
  one->set_optimizer(state);
  EXPECT_EQ(one->optimizer().m, state.m);
  EXPECT_EQ(one->optimizer().v, state.v);
  EXPECT_EQ(one->optimizer().step, 77);
  std::vector<float> parameters(kParameterCount);
  one->get_parameters(parameters);
  EXPECT_EQ(parameters, parameters_);
}

// Every tensor, every kind of number that is none. ReLU and pool must not swallow NaN.
TEST_P(DeviceBytes, NumbersThatAreNotFiniteAreRefusedAndChangeNothing) {
  const auto one = device(1);
  one->train_step(batch(1), {});
  std::vector<float> good(kParameterCount);
  one->get_parameters(good);
  const OptimizerState before = one->optimizer();
  for (int stage = 0; stage < kStageCount; ++stage)
    for (const int at : {kernel_offset(stage) + 5, bias_offset(stage) + 1})
      for (const float value :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
            -std::numeric_limits<float>::infinity()}) {
        SCOPED_TRACE(std::string(kStages[static_cast<std::size_t>(stage)].name) + ", parameter " +
                     std::to_string(at) + " is " + std::to_string(value));
        std::vector<float> bad = good;
        bad[static_cast<std::size_t>(at)] = value;
        one->set_parameters(bad);
        one->set_optimizer(before);
        try {
          one->train_step(batch(1), {});
          ADD_FAILURE() << "train_step accepted it";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ExitCode::kNonFinite);
          EXPECT_EQ(error.name(), "E_NON_FINITE");
        }
        std::vector<float> after(kParameterCount);
        one->get_parameters(after);
        EXPECT_TRUE(same_bytes<float>({"parameters", {kParameterCount}, "after"}, bad, after));
        const OptimizerState optimizer = one->optimizer();
        EXPECT_EQ(optimizer.step, before.step);
        EXPECT_TRUE(same_bytes<float>({"m", {kParameterCount}, "after"}, before.m, optimizer.m));
        EXPECT_TRUE(same_bytes<float>({"v", {kParameterCount}, "after"}, before.v, optimizer.v));
      }
}

// Finite weights whose sums overflow.
TEST_P(DeviceBytes, OverflowIsRefused) {
  const auto one = device(2);
  std::vector<float> huge = parameters_;
  for (float& value : huge) value *= 1e18F;
  one->set_parameters(huge);
  EXPECT_THROW(one->train_step(batch(2), {}), Error);
  one->set_parameters(parameters_);
  EXPECT_THROW(one->train_step(batch(2), {.learning_rate = std::numeric_limits<double>::infinity()}), Error);
}

LOOKALIKE_FOR_EACH_TARGET(DeviceBytes);

}  // namespace
}  // namespace lookalike::test
