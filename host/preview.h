// A picture of what the network sees: originals above their reconstructions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

inline constexpr int kPreviewPhotos = 8;
inline constexpr int kPreviewGap = 4;  // white pixels around each photo

// Up to kPreviewPhotos indices spread evenly over 0 .. size - 1, ascending.
std::vector<int64_t> preview_choice(int64_t size);

// Both (N, 150, 150, 3), blue green red, N >= 1 -> a PNG file's bytes: two rows of N.
std::vector<uint8_t> preview_png(std::span<const uint8_t> originals,
                                 std::span<const uint8_t> reconstructions);

}  // namespace lookalike
