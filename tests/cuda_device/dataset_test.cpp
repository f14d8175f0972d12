// Images handed to the CUDA engine by bytes, ahead of their step, or by number: the same bytes come of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "engine/error.h"
#include "engine/train.h"
#include "tests/cuda_device/device_fixture.h"

namespace lookalike::test {
namespace {

// Bytes of the whole state after some steps and losses, the images handed over one way or another.
class DatasetTest : public CudaDeviceTest {
 protected:
  ImageSource source() const {
    return {kMost, [this](std::span<const std::int64_t> indices, std::span<std::uint8_t> out) {
              for (std::size_t i = 0; i < indices.size(); ++i)
                std::ranges::copy(images(indices[i], 1),
                                  out.begin() + static_cast<std::ptrdiff_t>(i) * kImageBytes);
            }};
  }
  std::vector<std::uint8_t> gathered(const std::vector<std::int64_t>& numbers) const {
    std::vector<std::uint8_t> bytes(numbers.size() * std::size_t{kImageBytes});
    source().gather(numbers, bytes);
    return bytes;
  }
  std::unique_ptr<Device> prepared() const {
    auto device = this->device();
    device->prepare({.images = 4, .training = true});
    return device;
  }
  // One batch of parts, one whole, one image named twice.
  const std::vector<std::vector<std::int64_t>> batches_ = {{4, 0, 2, 1}, {3}, {2, 2}};
};

TEST_F(DatasetTest, HeldImagesGiveTheSameBytes) {
  const auto by_bytes = prepared(), by_number = prepared();
  ASSERT_EQ(by_number->hold(source()), Held::kHeld);
  for (const auto& batch : batches_) {
    EXPECT_EQ(by_bytes->loss(gathered(batch)), by_number->loss_of_held(batch));
    EXPECT_EQ(by_bytes->train_step(gathered(batch), {}), by_number->train_step_on_held(batch, {}));
  }
  EXPECT_EQ(by_bytes->train_step(images(0, 1), {}), by_number->train_step(images(0, 1), {}));
  EXPECT_EQ(state_of(*by_bytes), state_of(*by_number));
  EXPECT_THROW(by_number->loss_of_held(std::vector<std::int64_t>{kMost}), std::out_of_range);
  EXPECT_THROW(by_number->train_step_on_held(std::vector<std::int64_t>{-1}, {}), std::out_of_range);
  EXPECT_THROW(by_bytes->loss_of_held(batches_[0]), std::logic_error);
}

// Steps of one device, each but the last with its successor ahead.
class Walk {
 public:
  explicit Walk(Device& device) : device_(device) {}
  double step(std::span<const std::uint8_t> images, std::span<const std::uint8_t> next) {
    int calls = 0;
    const auto following = [&](std::uint64_t ticket) {
      ++calls;
      ticket_ = ticket;
      return next;
    };
    const double loss = device_.train_step_ahead(images, {}, {ticket_, following});
    EXPECT_EQ(calls, 1);
    EXPECT_NE(ticket_, 0U);
    return loss;
  }
  std::uint64_t ticket() const { return ticket_; }

 private:
  Device& device_;
  std::uint64_t ticket_ = 0;
};

TEST_F(DatasetTest, ImagesAnnouncedAheadGiveTheSameBytes) {
  const auto plain = prepared(), ahead = prepared();
  Walk walk(*ahead);
  std::vector<std::vector<std::uint8_t>> bytes;
  for (const auto& batch : batches_) bytes.push_back(gathered(batch));
  bytes.emplace_back();
  const auto step = [&](std::size_t i, std::size_t next) {
    EXPECT_EQ(walk.step(bytes[i], bytes[next]), plain->train_step(bytes[i], {}))
        << "step with batch " << i << ", then " << next;
  };
  step(0, 1);
  step(1, 2);
  step(2, 1);
  // Announced, and then other work comes in between.
  EXPECT_EQ(ahead->loss(images(0, 1)), plain->loss(images(0, 1)));
  step(1, 2);
  std::vector<std::uint8_t> decoded(2 * kImageBytes);
  ahead->decode(std::vector<float>(2 * kCodeLength, 0.25F), decoded);
  step(2, 0);
  step(0, 3);
  EXPECT_EQ(state_of(*plain), state_of(*ahead));
}

// Bytes of images that came ahead are not read again: this is what says that they were on the device.
TEST_F(DatasetTest, AnnouncedImagesAreOnTheDeviceAlready) {
  const auto plain = prepared(), ahead = prepared();
  Walk walk(*ahead);
  const auto first = gathered(batches_[1]), second = gathered(batches_[2]);
  auto given = second;
  EXPECT_EQ(plain->train_step(first, {}), walk.step(first, given));
  std::ranges::fill(given, std::uint8_t{0});
  EXPECT_EQ(plain->train_step(second, {}), walk.step(given, {}));
}

// Without its ticket a buffer is what it holds now, wherever it lies; with one that is over, too.
TEST_F(DatasetTest, OtherImagesInTheSameBufferAreTrainedOn) {
  const auto plain = prepared(), ahead = prepared();
  const auto first = gathered(batches_[1]), other = gathered({0, 1});
  auto buffer = gathered(batches_[2]);
  Walk walk(*ahead);
  EXPECT_EQ(plain->train_step(first, {}), walk.step(first, buffer));
  const std::uint64_t over = walk.ticket();
  buffer = other;
  EXPECT_EQ(plain->train_step(other, {}), ahead->train_step(buffer, {}));
  EXPECT_EQ(plain->train_step(other, {}), ahead->train_step_ahead(buffer, {}, {over, {}}));
  EXPECT_EQ(state_of(*plain), state_of(*ahead));
}

TEST_F(DatasetTest, WhatCannotComeAheadLeavesAWholeStep) {
  const auto plain = prepared(), ahead = prepared();
  const auto first = gathered(batches_[1]);
  const auto throws = [](std::uint64_t) -> std::span<const std::uint8_t> {
    throw std::runtime_error("the file is gone");
  };
  EXPECT_EQ(plain->train_step(first, {}), ahead->train_step_ahead(first, {}, {0, throws}));
  Walk walk(*ahead);
  const std::vector<std::uint8_t> large(std::size_t{kMost + 60} * kImageBytes);
  for (const auto& next :
       {std::span<const std::uint8_t>(first).first(100), std::span<const std::uint8_t>(large)}) {
    EXPECT_EQ(plain->train_step(first, {}), walk.step(first, next));
    EXPECT_EQ(ahead->optimizer().step, plain->optimizer().step);
  }
  EXPECT_EQ(state_of(*plain), state_of(*ahead));
}

// More than the 256 images that go to the device at once, each different.
TEST_F(DatasetTest, ManyImagesAreHeldInTheirPlaces) {
  constexpr std::int64_t kMany = 300;
  const ImageSource many = {kMany, [](std::span<const std::int64_t> indices, std::span<std::uint8_t> out) {
                              for (std::size_t i = 0; i < out.size(); ++i) {
                                const std::int64_t index = indices[i / std::size_t{kImageBytes}];
                                out[i] =
                                    static_cast<std::uint8_t>((index / 2 + (i % 3 == 0 ? index % 2 : 0)));
                              }
                            }};
  const auto by_bytes = prepared(), by_number = prepared();
  ASSERT_EQ(by_number->hold(many), Held::kHeld);
  const std::vector<std::int64_t> some = {0, 255, 256, 299};
  std::vector<std::uint8_t> bytes(some.size() * std::size_t{kImageBytes});
  many.gather(some, bytes);
  EXPECT_EQ(by_bytes->loss(bytes), by_number->loss_of_held(some));
}

TEST_F(DatasetTest, ADatasetThatCannotBeReadIsNotHeld) {
  const auto one = prepared();
  ASSERT_EQ(one->hold(source()), Held::kHeld);
  const auto throws = [](std::span<const std::int64_t>, std::span<std::uint8_t>) {
    throw std::runtime_error("the file is gone");
  };
  EXPECT_THROW(one->hold({kMost, throws}), std::runtime_error);
  EXPECT_THROW(one->loss_of_held(batches_[0]), std::logic_error);
  EXPECT_EQ(one->train_step(images(0, 1), {}), prepared()->train_step(images(0, 1), {}));
}

TEST_F(DatasetTest, ImagesThatDoNotFitAreNotHeld) {
  cuda::CudaOptions options;
  options.forward_images = options.training_images = 1;
  options.memory_bytes = 1;
  const auto planned = [&](std::int64_t memory) {
    options.memory_bytes = memory;
    auto device = cuda::make_cuda_device(options);
    device->set_parameters(parameters_);
    device->prepare({.images = 1, .training = true});
    return device;
  };
  // Least memory for the network alone, to a kilobyte.
  std::int64_t least = 0, enough = 40'000'000;
  while (enough - least > 1000) {
    const std::int64_t middle = least + (enough - least) / 2;
    try {
      planned(middle);
      enough = middle;
    } catch (const Error&) {
      least = middle;
    }
  }
  constexpr std::int64_t kDataset = kMost * kImageBytes;
  const auto small = planned(enough + kDataset), large = planned(enough + 2 * kDataset);
  EXPECT_EQ(small->hold(source()), Held::kNoRoom);  // three quarters of the rest may be taken
  EXPECT_EQ(large->hold(source()), Held::kHeld);
  EXPECT_EQ(large->hold({0, {}}), Held::kNoRoom);
  EXPECT_THROW(large->loss_of_held(batches_[0]), std::logic_error);
  EXPECT_EQ(small->train_step(images(0, 1), {}), large->train_step(images(0, 1), {}));
}

// Never says that it could hold images or take them ahead.
class Plain : public Device {
 public:
  explicit Plain(std::unique_ptr<Device> device) : device_(std::move(device)) {}
  void set_parameters(std::span<const float> parameters) override { device_->set_parameters(parameters); }
  void get_parameters(std::span<float> parameters) const override { device_->get_parameters(parameters); }
  void set_optimizer(const OptimizerState& state) override { device_->set_optimizer(state); }
  OptimizerState optimizer() const override { return device_->optimizer(); }
  void encode(std::span<const uint8_t> images, std::span<float> codes) override {
    device_->encode(images, codes);
  }
  void decode(std::span<const float> codes, std::span<uint8_t> images) override {
    device_->decode(codes, images);
  }
  double loss(std::span<const uint8_t> images) override { return device_->loss(images); }
  double train_step(std::span<const uint8_t> images, const AdamOptions& options) override {
    return device_->train_step(images, options);
  }
  void nearest(const SearchBlock& block, TopK& best) override { device_->nearest(block, best); }
  DeviceFacts facts() const override { return device_->facts(); }

 private:
  std::unique_ptr<Device> device_;
};

// Two epochs over five images in batches of two, validated on two of them; `cut`: after that step the run
// goes on, on another device or, `same`, on this one after a run on other images.
class TrainingRun : public DatasetTest {
 protected:
  enum class Way { kPlain, kAhead, kHeld };
  struct End {
    std::vector<float> state;
    std::vector<double> losses;
    std::vector<float> best;
    bool operator==(const End&) const = default;
  };
  std::unique_ptr<Device> make(Way way) const {
    auto device = prepared();
    if (way == Way::kHeld) {
      EXPECT_EQ(device->hold(source()), Held::kHeld);
    }
    if (way == Way::kPlain) return std::make_unique<Plain>(std::move(device));
    return device;
  }
  End run(Way way, int cut, bool same) const {
    const TrainOptions options{.epochs = 2, .batch_size = 2, .seed = 4};
    ImageSource validation = source();
    validation.size = 2;
    const HeldFrom held = way == Way::kHeld ? HeldFrom{0, 0} : HeldFrom{};
    auto device = make(way);
    End end;
    int steps = 0;
    TrainObserver observer = {[&](const TrainPosition&, double loss) {
                                end.losses.push_back(loss);
                                return ++steps == cut;
                              },
                              [](const TrainPosition&, const EpochResult&) {}, [](const TrainPosition&) {}};
    TrainPosition position;
    while (train(*device, source(), validation, options, position, observer, held) == TrainEnd::kPaused) {
      std::vector<float> parameters = parameters_of(*device);
      const OptimizerState optimizer = device->optimizer();
      if (same)
        other_run(*device);
      else
        device = make(way);
      device->set_parameters(parameters);
      device->set_optimizer(optimizer);
    }
    end.state = state_of(*device);
    end.best = position.best_parameters;
    return end;
  }

 private:
  // Paused too, with images of its own announced.
  void other_run(Device& device) const {
    ImageSource backwards = source();
    backwards.gather = [gather = backwards.gather](std::span<const std::int64_t> indices,
                                                   std::span<std::uint8_t> out) {
      gather(indices, out);
      std::ranges::reverse(out);
    };
    TrainPosition position;
    const TrainObserver observer = {[](const TrainPosition&, double) { return true; },
                                    [](const TrainPosition&, const EpochResult&) {},
                                    [](const TrainPosition&) {}};
    train(device, backwards, backwards, {.epochs = 1, .batch_size = 2, .seed = 4}, position, observer);
  }
};

TEST_F(TrainingRun, EveryWayAndEveryCutGiveTheSameBytes) {
  const End plain = run(Way::kPlain, 0, false);
  EXPECT_EQ(plain.losses.size(), 6U);
  EXPECT_TRUE(run(Way::kAhead, 0, false) == plain) << "announced";
  EXPECT_TRUE(run(Way::kHeld, 0, false) == plain) << "held";
  EXPECT_TRUE(run(Way::kPlain, 2, false) == plain) << "cut";
  EXPECT_TRUE(run(Way::kAhead, 2, false) == plain) << "announced, cut";
  EXPECT_TRUE(run(Way::kHeld, 2, false) == plain) << "held, cut";
  EXPECT_TRUE(run(Way::kAhead, 1, true) == plain) << "announced, another run in between";
}

}  // namespace
}  // namespace lookalike::test
