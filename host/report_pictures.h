// Pictures as a report holds them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

// (150, 150, 3) pixels, blue green red -> a JPEG file's bytes, of the quality of thumbnails.
std::vector<uint8_t> jpeg_of(std::span<const uint8_t> pixels);

// A thumbnail at half its size, 75 x 75; empty where it is no whole JPEG of a thumbnail's size.
std::vector<uint8_t> half_picture(const std::vector<uint8_t>& thumbnail);

}  // namespace lookalike
