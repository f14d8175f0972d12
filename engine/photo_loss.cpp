#include "engine/photo_loss.h"

#include <array>
#include <cmath>
#include <stdexcept>

namespace lookalike {
namespace {

std::array<double, 256> entropies() {
  std::array<double, 256> table{};  // both ends are 0
  for (int byte = 1; byte < 255; ++byte) {
    const double t = byte / 255.0;
    table[static_cast<std::size_t>(byte)] = -t * std::log(t) - (1 - t) * std::log1p(-t);
  }
  return table;
}

}  // namespace

std::vector<PhotoLoss> photo_losses(Device& device, std::span<const uint8_t> images) {
  if (images.size() % std::size_t{kImageBytes} != 0) throw std::logic_error("photo_losses: images are cut");
  const std::array<double, 256> entropy = entropies();
  std::vector<PhotoLoss> losses;
  for (std::size_t first = 0; first < images.size(); first += std::size_t{kImageBytes}) {
    const auto image = images.subspan(first, std::size_t{kImageBytes});
    double sum = 0;
    for (const uint8_t byte : image) sum += entropy[byte];
    losses.push_back({device.loss(image), sum / kImageBytes});
  }
  return losses;
}

}  // namespace lookalike
