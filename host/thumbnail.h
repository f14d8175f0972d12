// A catalog's pictures: small JPEGs of what the network saw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

// pixels (150, 150, 3), blue green red.
std::vector<uint8_t> thumbnail_of(std::span<const uint8_t> pixels);

// The way back; empty where it cannot be decoded or has another size.
std::vector<uint8_t> thumbnail_pixels(const std::vector<uint8_t>& jpeg);

// At half size and less quality; empty where it cannot be decoded.
std::vector<uint8_t> half_thumbnail(const std::vector<uint8_t>& jpeg);

}  // namespace lookalike
