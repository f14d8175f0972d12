#include "host/held_photos.h"

#include <fmt/format.h>

#include <cstring>

#include "host/interrupt.h"
#include "host/plan.h"

namespace lookalike {

HeldFrom hold_photos(Device& device, const ImageSource& training, const ImageSource& validation,
                     const Talk& talk) {
  const int64_t all = training.size + validation.size;
  const auto gather = [&](std::span<const int64_t> indices, std::span<uint8_t> out) {
    if (stop_signal() != 0) throw Interrupted(stop_signal());
    for (size_t i = 0; i < indices.size(); ++i) {
      const bool trains = indices[i] < training.size;
      const int64_t index = trains ? indices[i] : indices[i] - training.size;
      (trains ? training : validation)
          .gather({&index, 1}, out.subspan(i * size_t{kImageBytes}, size_t{kImageBytes}));
    }
  };
  try {
    switch (device.hold({all, gather})) {
      case Held::kNotNeeded:
        break;
      case Held::kNoRoom:
        say(talk, "train",
            fmt::format(
                "photos ({}) do not fit on the device: a batch is copied there while the one before it "
                "is computed",
                format_bytes(all * kImageBytes)));
        break;
      case Held::kHeld:
        say(talk, "train", fmt::format("photos stay on the device ({})", format_bytes(all * kImageBytes)));
        return {0, training.size};
    }
    return {};
  } catch (const Interrupted& stop) {
    say(talk, "train",
        fmt::format("stopped by SIG{} while photos went to the device; the same command goes on where it was",
                    sigabbrev_np(stop.signal())));
    throw;
  }
}

}  // namespace lookalike
