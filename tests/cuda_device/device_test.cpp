// What the CUDA engine promises beyond its kernels: an image's bytes do not depend on its batch, a refusal
// changes nothing, memory is planned before it is taken.
#include "engine/cuda/device.h"

#include <gmock/gmock.h>

#include <cmath>

#include "engine/cuda/kernel_order.h"
#include "engine/cuda/memory_plan.h"
#include "engine/error.h"
#include "tests/cuda_device/device_fixture.h"
#include "tests/support/error_bound.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

TEST_F(CudaDeviceTest, CodesAndImagesDependOnNothingElseInTheBatch) {
  const auto one = device();
  std::vector<float> codes(kMost * kCodeLength, NAN);
  one->encode(images_, codes);
  std::vector<std::uint8_t> decoded(kMost * kImageBytes);
  one->decode(codes, decoded);
  EXPECT_EQ(one->loss(images(1, 1)), device()->loss(images(1, 1)));
  for (std::int64_t n = 0; n < kMost; ++n) {
    std::vector<float> code(kCodeLength, NAN);
    one->encode(images(n, 1), code);
    const auto whole = std::span(codes).subspan(static_cast<std::size_t>(n * kCodeLength), kCodeLength);
    EXPECT_TRUE(same_bytes<float>({"encode", {kCodeLength}, "image " + std::to_string(n)}, whole, code));
    std::vector<std::uint8_t> image(kImageBytes);
    one->decode(code, image);
    const auto expected = std::span(decoded).subspan(static_cast<std::size_t>(n * kImageBytes), kImageBytes);
    EXPECT_TRUE(
        same_bytes<std::uint8_t>({"decode", {kImageBytes}, "image " + std::to_string(n)}, expected, image));
  }
  one->encode({}, {});
  one->decode({}, {});
}

TEST_F(CudaDeviceTest, CodesAndImagesAreTheReferences) {
  const auto one = device();
  const auto exact = doubles(parameters_);
  const auto target = reference::unit_image(images(0, 1), kImageSize, kImageChannels);
  const reference::Trace trace = reference::forward(kStages, exact, target);
  const ForwardBound bound = forward_bound(exact, trace);
  std::vector<float> code(kCodeLength, NAN);
  one->encode(images(0, 1), code);
  EXPECT_TRUE(within({"encode", {19, 19, 8}, "seeds 121, 122"}, trace.stages[2].output().values, code,
                     [&](std::size_t i) { return bound.output[2].values[i]; }));

  // Decoding starts from the float code.
  reference::Tensor start(kCodeSize, kCodeSize, kCodeChannels);
  start.values = doubles(code);
  const reference::Trace back = reference::run_stages(kStages, exact, kEncoderStages, kStageCount, start);
  const ForwardBound back_bound = forward_bound(exact, back, kEncoderStages);
  std::vector<std::uint8_t> image(kImageBytes);
  one->decode(code, image);
  std::vector<double> expected;
  for (const double p : back.probabilities.values) expected.push_back(255 * p);
  EXPECT_TRUE(within({"decode", {150, 150, 3}, "seeds 121, 122"}, expected, image, [&](std::size_t i) {
    return 0.5 + 255 * (back_bound.probabilities.values[i] + 0x1p-24);
  }));
}

// 2^-11 for each rounding on the way of a code: weights, bias and activation of three stages, twice over.
TEST_F(CudaDeviceTest, EncodesInHalfWhereItCan) {
  if (gpu::properties().major != 9) GTEST_SKIP() << "fp16 is for compute capability 9.0";
  const auto one = device();
  std::vector<float> whole(3 * kCodeLength, NAN), half(3 * kCodeLength, NAN), again(kCodeLength, NAN);
  one->encode(images(0, 3), whole);
  one->set_precision(Precision::kHalf);
  one->encode(images(0, 3), half);
  const double scale = *std::max_element(whole.begin(), whole.end());
  EXPECT_TRUE(within({"fp16", {3, kCodeLength}, "seeds 121, 122"}, whole, half,
                     [&](std::size_t) { return 18 * 0x1p-11 * scale; }));
  EXPECT_NE(whole, half);
  one->encode(images(2, 1), again);
  EXPECT_TRUE(
      same_bytes<float>({"fp16", {kCodeLength}, "image 2"}, std::span(half).last(kCodeLength), again));
  one->set_precision(Precision::kFloat32);
  one->encode(images(0, 1), again);
  EXPECT_TRUE(
      same_bytes<float>({"encode", {kCodeLength}, "image 0"}, std::span(whole).first(kCodeLength), again));
}

TEST_F(CudaDeviceTest, TrainingTwiceGivesTheSameBytes) {
  const auto run = [&](Device& on) {
    for (const std::int64_t count : {2, 4, 1}) on.train_step(images(0, count), {});
    OptimizerState state = on.optimizer();
    std::vector<float> all = parameters_of(on);
    all.insert(all.end(), state.m.begin(), state.m.end());
    all.insert(all.end(), state.v.begin(), state.v.end());
    return all;
  };
  const auto once = device(), again = device();
  EXPECT_THAT(once->prepare({.images = 4, .training = true}), testing::HasSubstr("workspace"));
  const std::vector<float> first = run(*once), second = run(*again);
  EXPECT_TRUE(
      same_bytes<float>({"parameters, m, v", {3 * kParameterCount}, "seeds 121, 122"}, first, second));
  EXPECT_EQ(once->optimizer().step, 3);

  // Taken up elsewhere from what was saved.
  const auto saved = device();
  saved->train_step(images(0, 2), {});
  const auto resumed = device();
  resumed->set_parameters(parameters_of(*saved));
  resumed->set_optimizer(saved->optimizer());
  for (const std::int64_t count : {4, 1}) resumed->train_step(images(0, count), {});
  EXPECT_EQ(parameters_of(*resumed), parameters_of(*once));
}

TEST_F(CudaDeviceTest, RefusesWeightsThatAreNoNumbersAndChangesNothing) {
  const auto one = device();
  std::vector<float> bad = parameters_;
  bad[static_cast<std::size_t>(bias_offset(4)) + 3] = NAN;
  one->set_parameters(bad);
  try {
    one->train_step(images(0, 2), {});
    FAIL() << "accepted NaN";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kNonFinite);
    EXPECT_THAT(error.what(), testing::HasSubstr("a weight of dec2.bias"));
  }
  EXPECT_TRUE(same_bytes<float>({"parameters", {kParameterCount}, ""}, bad, parameters_of(*one)));
  EXPECT_EQ(one->optimizer().step, 0);
  EXPECT_EQ(one->optimizer().m, std::vector<float>(kParameterCount));
}

// A bias of minus infinity closes its ReLU: neither loss nor gradient shows it.
TEST_F(CudaDeviceTest, RefusesAWeightThatNothingElseShows) {
  const auto one = device();
  std::vector<float> bad = parameters_;
  bad[static_cast<std::size_t>(bias_offset(1)) + 2] = -INFINITY;
  one->set_parameters(bad);
  EXPECT_TRUE(std::isfinite(one->loss(images(0, 1))));
  EXPECT_THROW(one->train_step(images(0, 1), {}), Error);
  EXPECT_TRUE(same_bytes<float>({"parameters", {kParameterCount}, ""}, bad, parameters_of(*one)));
}

// A batch cut in parts has the gradient of the whole one, but for the rounding of the sums.
TEST_F(CudaDeviceTest, PartsOfABatchAddUp) {
  const auto whole = device(2, 3), cut = device(2, 1);
  EXPECT_EQ(whole->train_step(images(0, 3), {}), cut->train_step(images(0, 3), {}));
  const std::vector<float> expected = whole->optimizer().m, actual = cut->optimizer().m;
  double largest = 0.0;
  for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
  EXPECT_TRUE(within({"m", {kParameterCount}, "seeds 121, 122"}, expected, actual,
                     [&](std::size_t) { return 8 * 0x1p-24 * largest; }));
}

// A finite weight so large that the loss is not: nothing changes. A step that makes weights infinite is done.
TEST_F(CudaDeviceTest, NamesWhatStoppedBeingANumber) {
  const auto one = device();
  const auto message = [&](const AdamOptions& options) -> std::string {
    try {
      one->train_step(images(0, 4), options);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kNonFinite);
      return error.what();
    }
  };
  EXPECT_THAT(message({.learning_rate = 1e38, .epsilon = 0.0}), testing::HasSubstr("is not finite"));
  std::vector<float> large = parameters_;
  for (int i = kernel_offset(0); i < kernel_offset(4); ++i) large[static_cast<std::size_t>(i)] *= 1e12F;
  one->set_parameters(large);
  one->set_optimizer({});
  EXPECT_THAT(message({}), testing::AnyOf(testing::HasSubstr("the loss is not finite at step 1"),
                                          testing::HasSubstr("the gradient of ")));
  EXPECT_EQ(parameters_of(*one), large);
  EXPECT_EQ(one->optimizer().step, 0);
}

TEST_F(CudaDeviceTest, RefusesWhatIsNoBatch) {
  const auto one = device();
  std::vector<float> codes(kCodeLength);
  EXPECT_THROW(one->train_step({}, {}), std::invalid_argument);
  EXPECT_THROW(one->loss({}), std::invalid_argument);
  EXPECT_THROW(one->encode(images(0, 2), codes), std::invalid_argument);
  EXPECT_THROW(one->encode(std::span(images_).first(100), codes), std::invalid_argument);
  EXPECT_THROW(one->set_parameters(codes), std::invalid_argument);
}

TEST_F(CudaDeviceTest, MemoryThatIsShortIsSaidBeforehandWithTheBatchThatFits) {
  cuda::CudaOptions options;
  options.forward_images = 1;
  options.training_images = 100;
  options.memory_bytes = 40'000'000;
  const auto one = cuda::make_cuda_device(options);
  one->set_parameters(parameters_);
  const auto message = [&](std::int64_t batch) -> std::string {
    try {
      one->prepare({.images = batch, .training = true});
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kSystem);
      return error.what();
    }
  };
  const std::string text = message(80);
  EXPECT_THAT(text, testing::HasSubstr("the GPU has 40 MB free, training 80 images at once needs "));
  const std::string flag = "use --batch-size ";
  ASSERT_NE(text.find(flag), std::string::npos) << text;
  const std::int64_t fits = std::stoll(text.substr(text.find(flag) + flag.size()));
  EXPECT_GT(fits, 1);
  EXPECT_EQ(message(fits), "");
  EXPECT_THAT(message(fits + 1), testing::HasSubstr(flag + std::to_string(fits) + " or less"));
  // What was refused left nothing behind.
  one->train_step(images(0, 1), {});
  options.memory_bytes = 1000;
  const auto none = cuda::make_cuda_device(options);
  std::vector<float> code(kCodeLength);
  EXPECT_THROW(none->encode(images(0, 1), code), Error);
}

TEST_F(CudaDeviceTest, SaysWhatItIs) {
  const DeviceFacts facts = device()->facts();
  EXPECT_EQ(facts.kind, "cuda");
  EXPECT_THAT(facts.name, testing::HasSubstr("cuDNN"));
  EXPECT_GT(facts.memory_bytes, 0);
}

TEST(KernelOrder, ComesBackAndIsCudnns) {
  std::vector<float> flat(kParameterCount), device(kParameterCount, NAN), back(kParameterCount, NAN);
  for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<float>(i);
  cuda::to_device_order(flat, device);
  cuda::from_device_order(device, back);
  EXPECT_EQ(flat, back);
  // enc2: tap (2, 1), channel 5 of 16, output 6 of 8.
  EXPECT_EQ(device[static_cast<std::size_t>(kernel_offset(1) + (6 * 9 + 7) * 16 + 5)],
            flat[static_cast<std::size_t>(kernel_offset(1) + (7 * 16 + 5) * 8 + 6)]);
}

TEST(MemoryPlan, PartsLieApartAndAreCounted) {
  cuda::MemoryPlan plan;
  const int a = plan.add<float>("a", {3, 5}), b = plan.add<double>("b", {1}), c = plan.add<char>("c", {0});
  EXPECT_EQ(plan.offset(a), 0);
  EXPECT_EQ(plan.offset(b), 256);
  EXPECT_EQ(plan.offset(c), 512);
  EXPECT_EQ(plan.bytes(), 512);
  EXPECT_THAT(plan.text(), testing::HasSubstr("3 x 5"));
  EXPECT_THROW(plan.add<float>("d", {std::int64_t{1} << 40, std::int64_t{1} << 40}), std::length_error);
}

}  // namespace
}  // namespace lookalike::test
