// The loop over a fake device whose arithmetic can be followed by hand, and over the CPU.
#include "engine/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/random.h"
#include "tests/engine/train_fixture.h"

namespace lookalike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Train, GoesThroughEveryImageInTheEpochsOrder) {
  FakeDevice device;
  TrainPosition position;
  const TrainOptions options{.epochs = 2, .batch_size = 3, .seed = 9};
  EXPECT_EQ(train(device, numbered_images(7), numbered_images(0), options, position, silent()),
            TrainEnd::kFinished);
  ASSERT_EQ(device.batches.size(), 6U);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<int64_t> seen;
    for (std::size_t b = 0; b < 3; ++b) {
      const auto& batch = device.batches[static_cast<std::size_t>(epoch) * 3 + b];
      EXPECT_EQ(batch.size(), b == 2 ? 1U : 3U);
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    EXPECT_EQ(seen, shuffled(7, 9, epoch));
  }
  EXPECT_EQ(position.epoch, 2);
  EXPECT_EQ(position.position, 0);
}

TEST(Train, StopsWhereValidatingIsForbidden) {
  FakeDevice device;
  TrainPosition position;
  auto observer = silent();
  observer.while_validating = [] { throw system_error("stop"); };
  EXPECT_THROW(train(device, numbered_images(3), numbered_images(2), {.epochs = 1}, position, observer),
               Error);
  EXPECT_EQ(position.position, 3);
  EXPECT_EQ(position.epoch, 0);
}

TEST(Train, WeighsTheLastSmallerBatchByItsImages) {
  FakeDevice device;
  TrainPosition position;
  std::vector<EpochResult> results;
  auto observer = silent();
  observer.after_epoch = [&](const TrainPosition&, const EpochResult& result) { results.push_back(result); };
  train(device, numbered_images(7), numbered_images(0), {.epochs = 2, .batch_size = 3}, position, observer);
  ASSERT_EQ(results.size(), 2U);
  for (const EpochResult& result : results) {
    EXPECT_DOUBLE_EQ(result.loss, 3.0);  // the fake's loss is the mean index: of 0 .. 6
    EXPECT_TRUE(std::isnan(result.validation_loss));
  }
  EXPECT_DOUBLE_EQ(position.best_loss, 3.0);
}

TEST(Train, KeepsTheFirstOfEqualBestEpochs) {
  FakeDevice device;
  device.validation = {0.7, 0.6, 0.6, 0.65, 0.5, 0.9};
  TrainPosition position;
  std::vector<bool> best;
  std::vector<float> weights_of_epoch_5;
  auto observer = silent();
  observer.after_epoch = [&](const TrainPosition& at, const EpochResult& result) {
    best.push_back(result.best);
    if (result.epoch == 5) weights_of_epoch_5 = at.best_parameters;
  };
  train(device, numbered_images(4), numbered_images(2), {.epochs = 6, .batch_size = 4}, position, observer);
  EXPECT_THAT(best, ElementsAre(true, true, false, false, true, false));
  EXPECT_EQ(position.best_epoch, 5);
  EXPECT_DOUBLE_EQ(position.best_loss, 0.5);
  EXPECT_EQ(position.best_parameters, weights_of_epoch_5);
  std::vector<float> last(kParameterCount);
  device.get_parameters(last);
  EXPECT_NE(position.best_parameters, last);
}

TEST(Train, StopsWhenPatienceRunsOutAndStaysStopped) {
  FakeDevice device;
  device.validation = {0.7, 0.6, 0.6, 0.65, 0.5};
  TrainPosition position;
  const TrainOptions options{.epochs = 9, .batch_size = 4, .patience = 2};
  EXPECT_EQ(train(device, numbered_images(4), numbered_images(2), options, position, silent()),
            TrainEnd::kPatience);
  EXPECT_EQ(position.epoch, 4);
  EXPECT_EQ(position.best_epoch, 2);
  const std::size_t steps = device.batches.size();
  EXPECT_EQ(train(device, numbered_images(4), numbered_images(2), options, position, silent()),
            TrainEnd::kPatience);
  EXPECT_EQ(device.batches.size(), steps);
}

TEST(Train, NamesTheEpochOfANumberThatIsNotFinite) {
  FakeDevice device;
  device.fail_at_step = 4;
  TrainPosition position;
  int epochs_seen = 0;
  auto observer = silent();
  observer.after_epoch = [&](const TrainPosition&, const EpochResult&) { ++epochs_seen; };
  try {
    train(device, numbered_images(9), numbered_images(0), {.epochs = 3, .batch_size = 3}, position, observer);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kNonFinite);
    EXPECT_THAT(error.what(), HasSubstr("enc2.kernel"));
    EXPECT_THAT(error.what(), HasSubstr("in epoch 2"));
  }
  EXPECT_EQ(epochs_seen, 1);
}

TEST(Train, RefusesAValidationLossThatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    FakeDevice device;
    device.validation = {bad};
    TrainPosition position;
    auto observer = silent();
    observer.after_epoch = [](const TrainPosition&, const EpochResult&) { FAIL() << "seen by the observer"; };
    EXPECT_THROW(train(device, numbered_images(3), numbered_images(1), {.epochs = 1}, position, observer),
                 Error);
  }
}

TEST(Train, RefusesAnEmptySource) {
  FakeDevice device;
  TrainPosition position;
  EXPECT_THROW(train(device, numbered_images(0), numbered_images(0), {}, position, silent()), Error);
}

TEST(MeanLoss, WeighsBatchesByTheirImages) {
  FakeDevice device;
  device.validation = {1, 4};
  EXPECT_DOUBLE_EQ(mean_loss(device, numbered_images(4), 3), (3 * 1.0 + 4) / 4);
  EXPECT_TRUE(std::isnan(mean_loss(device, numbered_images(0), 3)));
}

struct RunState {
  std::vector<float> parameters = std::vector<float>(kParameterCount);
  OptimizerState optimizer;
  TrainPosition position;

  void take(const Device& device) {
    device.get_parameters(parameters);
    optimizer = device.optimizer();
  }
  void give(Device& device) const {
    device.set_parameters(parameters);
    device.set_optimizer(optimizer);
  }
};

void expect_same(const RunState& a, const RunState& b) {
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.optimizer.m, b.optimizer.m);
  EXPECT_EQ(a.optimizer.v, b.optimizer.v);
  EXPECT_EQ(a.optimizer.step, b.optimizer.step);
  EXPECT_EQ(a.position.epoch, b.position.epoch);
  EXPECT_EQ(a.position.best_parameters, b.position.best_parameters);
  EXPECT_EQ(a.position.best_loss, b.position.best_loss);
  EXPECT_EQ(a.position.best_epoch, b.position.best_epoch);
}

using MakeDevice = std::function<std::unique_ptr<Device>()>;

// One run, cut after step `cut` (0: unbroken) and taken up on a new device.
RunState run_with_cut(const MakeDevice& make, const TrainOptions& options, int64_t cut) {
  const auto training = numbered_images(5), validation = numbered_images(2);
  RunState state;
  state.parameters = initial_parameters(options.seed);
  int64_t steps = 0;
  auto observer = silent();
  observer.after_step = [&](const TrainPosition&, double) { return ++steps == cut; };
  TrainEnd end = TrainEnd::kPaused;
  while (end == TrainEnd::kPaused) {
    const auto device = make();
    state.give(*device);
    bool paused = false;
    observer.on_pause = [&](const TrainPosition& at) {
      paused = true;
      EXPECT_GT(at.position, 0);
    };
    end = train(*device, training, validation, options, state.position, observer);
    EXPECT_EQ(paused, end == TrainEnd::kPaused);
    state.take(*device);
  }
  return state;
}

void expect_cuts_leave_no_trace(const MakeDevice& make, const TrainOptions& options, int64_t steps) {
  const RunState unbroken = run_with_cut(make, options, 0);
  EXPECT_EQ(unbroken.optimizer.step, steps);
  for (int64_t cut = 1; cut <= steps; ++cut) {
    SCOPED_TRACE("cut after step " + std::to_string(cut));
    expect_same(run_with_cut(make, options, cut), unbroken);
  }
}

TEST(Train, ResumesAtEveryStepToTheSameBytes) {
  expect_cuts_leave_no_trace([] { return std::make_unique<FakeDevice>(); },
                             {.epochs = 3, .batch_size = 2, .seed = 4}, 9);
}

TEST(Train, ResumesOnTheCpuAtEveryStepToTheSameBytes) {
  const TrainOptions options{.epochs = 2, .batch_size = 2, .seed = 4};
  expect_cuts_leave_no_trace([] { return make_cpu_device(2); }, options, 6);
  SCOPED_TRACE("one thread against two");
  expect_same(run_with_cut([] { return make_cpu_device(1); }, options, 0),
              run_with_cut([] { return make_cpu_device(2); }, options, 0));
}

TEST(Train, LearnsOnTheCpu) {
  const auto device = make_cpu_device(2);
  device->set_parameters(initial_parameters(1));
  const ImageSource photos = {
      4, [](std::span<const int64_t> indices, std::span<uint8_t> out) {
        for (std::size_t i = 0; i < indices.size(); ++i) {
          const auto image = out.subspan(i * std::size_t{kImageBytes}, std::size_t{kImageBytes});
          std::fill(image.begin(), image.end(), static_cast<uint8_t>(200 + 10 * indices[i]));
        }
      }};
  TrainPosition position;
  const double before = mean_loss(*device, photos, 3);
  train(*device, photos, photos, {.epochs = 15, .batch_size = 4, .learning_rate = 0.01}, position, silent());
  EXPECT_NEAR(before, 0.69, 0.15);
  EXPECT_LT(position.best_loss, before - 0.1);
  device->set_parameters(position.best_parameters);
  EXPECT_EQ(mean_loss(*device, photos, 4), position.best_loss);
}

}  // namespace
}  // namespace lookalike
