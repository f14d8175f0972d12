#include "host/held_photos.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "host/interrupt.h"
#include "tests/host/fake_device.h"

namespace lookalike {
namespace {

class Holder : public FakeDevice {
 public:
  explicit Holder(Held answer) : answer_(answer) {}
  Held hold(const ImageSource& images) override {
    held.resize(static_cast<std::size_t>(images.size * kImageBytes));
    std::vector<int64_t> all(static_cast<std::size_t>(images.size));
    for (int64_t i = 0; i < images.size; ++i) all[static_cast<std::size_t>(i)] = i;
    if (answer_ == Held::kHeld) images.gather(all, held);
    return answer_;
  }
  std::vector<uint8_t> held;

 private:
  Held answer_;
};

// Image i is filled with first + i.
ImageSource images(int64_t size, int first) {
  return {size, [first](std::span<const int64_t> indices, std::span<uint8_t> out) {
            for (std::size_t i = 0; i < out.size(); ++i)
              out[i] = static_cast<uint8_t>(first + indices[i / std::size_t{kImageBytes}]);
          }};
}

TEST(HeldPhotos, ThoseToTrainOnComeFirst) {
  Holder device(Held::kHeld);
  const HeldFrom from = hold_photos(device, images(3, 10), images(2, 20), {.quiet = true});
  EXPECT_EQ(from.training, 0);
  EXPECT_EQ(from.validation, 3);
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(device.held[i * std::size_t{kImageBytes}], i < 3 ? 10 + i : 17 + i) << i;
}

TEST(HeldPhotos, ADeviceThatDoesNotHoldThemSaysWhetherItWouldHaveTo) {
  for (const Held answer : {Held::kNoRoom, Held::kNotNeeded}) {
    Holder device(answer);
    testing::internal::CaptureStderr();
    const HeldFrom from = hold_photos(device, images(3, 0), images(0, 0), {});
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(from.training, -1);
    EXPECT_EQ(from.validation, -1);
    EXPECT_EQ(said.find("do not fit on the device") != std::string::npos, answer == Held::kNoRoom) << said;
  }
}

TEST(HeldPhotosDeathTest, ASignalStopsTheCopying) {
  const auto interrupted = [] {
    watch_signals();
    std::raise(SIGINT);
    Holder device(Held::kHeld);
    try {
      hold_photos(device, images(1, 0), images(0, 0), {});
    } catch (const Interrupted& stop) {
      std::_Exit(stop.signal());
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(interrupted(), testing::ExitedWithCode(SIGINT), "stopped by SIGINT while photos went");
}

}  // namespace
}  // namespace lookalike
