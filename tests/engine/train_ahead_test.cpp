// How the loop hands images over: by bytes, ahead of their step, by number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/train_fixture.h"

namespace lookalike {
namespace {

using testing::ElementsAre;

// A device that holds images, or asks for the next batch while it computes.
class EagerDevice : public FakeDevice {
 public:
  bool asks = false;
  std::vector<std::vector<int>> announced, losses;
  std::vector<uint8_t> held;
  std::vector<uint64_t> tickets;
  uint64_t given = 0;

  double train_step_ahead(std::span<const uint8_t> images, const AdamOptions& options,
                          const Ahead& ahead) override {
    const double loss = train_step(images, options);
    if (!asks) return loss;
    tickets.push_back(ahead.ticket);
    try {
      announced.push_back(first_bytes(ahead.next(++given)));
    } catch (const Error&) {
      announced.emplace_back();
    }
    return loss;
  }
  Held hold(const ImageSource& images) override {
    held.resize(static_cast<std::size_t>(images.size * kImageBytes));
    for (int64_t i = 0; i < images.size; ++i)
      images.gather({&i, 1}, std::span(held).subspan(static_cast<std::size_t>(i * kImageBytes), kImageBytes));
    return Held::kHeld;
  }
  double loss_of_held(std::span<const int64_t> images) override {
    losses.push_back(first_bytes(chosen(images)));
    return loss({});
  }
  double train_step_on_held(std::span<const int64_t> images, const AdamOptions& options) override {
    return train_step(chosen(images), options);
  }

 private:
  static std::vector<int> first_bytes(std::span<const uint8_t> images) {
    std::vector<int> first;
    for (std::size_t i = 0; i < images.size(); i += std::size_t{kImageBytes}) first.push_back(images[i]);
    return first;
  }
  std::vector<uint8_t> chosen(std::span<const int64_t> images) const {
    std::vector<uint8_t> bytes;
    for (const int64_t i : images)
      bytes.insert(bytes.end(), held.begin() + i * kImageBytes, held.begin() + (i + 1) * kImageBytes);
    return bytes;
  }
};

TEST(Train, TheNextBatchIsAnnouncedAndEachIsGatheredOnce) {
  EagerDevice device;
  device.asks = true;
  ImageSource images = numbered_images(7);
  int64_t gathered = 0;
  images.gather = [&gathered, plain = images.gather](std::span<const int64_t> indices,
                                                     std::span<uint8_t> out) {
    gathered += std::ssize(indices);
    plain(indices, out);
  };
  TrainPosition position;
  train(device, images, numbered_images(0), {.epochs = 2, .batch_size = 3, .seed = 9}, position, silent());
  EXPECT_EQ(gathered, 14);
  EXPECT_THAT(device.tickets, ElementsAre(0, 1, 2, 0, 4, 5));
  ASSERT_EQ(device.announced.size(), 6U);
  for (const std::size_t last : {2U, 5U}) {  // of an epoch
    EXPECT_EQ(device.announced[last - 2], device.batches[last - 1]);
    EXPECT_EQ(device.announced[last - 1], device.batches[last]);
    EXPECT_TRUE(device.announced[last].empty());
  }
}

TEST(Train, AGatherThatFailsAheadFailsInItsTurn) {
  EagerDevice device;
  device.asks = true;
  ImageSource images = numbered_images(7);
  int calls = 0;
  images.gather = [&calls, plain = images.gather](std::span<const int64_t> indices, std::span<uint8_t> out) {
    if (++calls > 1) throw system_error("the file is gone");
    plain(indices, out);
  };
  TrainPosition position;
  EXPECT_THROW(train(device, images, numbered_images(0), {.epochs = 2, .batch_size = 3}, position, silent()),
               Error);
  EXPECT_EQ(position.position, 3);
  EXPECT_EQ(device.batches.size(), 1U);
}

TEST(Train, HeldImagesAreTrainedOnByNumber) {
  FakeDevice plain;
  EagerDevice holder;
  ImageSource training = numbered_images(5), validation = numbered_images(4);
  const TrainOptions options{.epochs = 2, .batch_size = 2, .seed = 9};
  TrainPosition a, b;
  train(plain, training, validation, options, a, silent());
  holder.hold({9, [&](std::span<const int64_t> indices, std::span<uint8_t> out) {
                 const int64_t i = indices[0];
                 (i < 5 ? training : validation).gather(std::vector{i < 5 ? i : i - 5}, out);
               }});
  const auto none = [](std::span<const int64_t>, std::span<uint8_t>) { FAIL() << "read again"; };
  training.gather = validation.gather = none;
  train(holder, training, validation, options, b, silent(), {0, 5});
  EXPECT_EQ(plain.batches, holder.batches);
  ASSERT_EQ(holder.losses.size(), 4U);
  EXPECT_THAT(holder.losses[0], ElementsAre(0, 1));
  EXPECT_THAT(holder.losses[3], ElementsAre(2, 3));
}

}  // namespace
}  // namespace lookalike
