// One photo file -> the 150x150 bytes that the network sees.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/topology.h"

namespace lookalike {

// How a photo of another shape becomes square. Shrinking averages areas, enlarging is bilinear.
enum class Fit { kPad, kCrop, kStretch };
std::string to_string(Fit fit);          // "pad", "crop", "stretch"
Fit parse_fit(const std::string& text);  // throws E_USAGE

// Part of a model: photos of one catalog all go through the same rule.
struct PhotoRule {
  Fit fit = Fit::kPad;
  std::array<uint8_t, 3> background = {255, 255, 255};  // blue, green, red: under padding and transparency
  friend bool operator==(const PhotoRule&, const PhotoRule&) = default;
};
// "#rrggbb", or one of the 16 names that HTML 4 has: white, black, grey or gray, ... Throws E_USAGE.
std::array<uint8_t, 3> parse_background(const std::string& text);  // blue, green, red

std::string to_string(const PhotoRule& rule);         // "pad #ffffff" (RGB), as stored in models and ledgers
PhotoRule parse_photo_rule(const std::string& text);  // throws E_DAMAGED

// Checked before anything is allocated for pixels.
struct PhotoLimits {
  int64_t file_bytes = int64_t{64} << 20;
  int64_t pixels = int64_t{64} * 1000 * 1000;
  int jpeg_scans = 100;
};

std::string to_string(const PhotoLimits& limits);  // "64000000 pixels, 67108864 bytes, 100 scans"

// This photo cannot be used; the run goes on. what() is the reason, without the path.
class RefusedPhoto : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// XXH3-128 (high, low) of a file's bytes.
std::array<uint64_t, 2> content_hash(const std::vector<uint8_t>& file);

struct Photo {
  std::array<uint64_t, 2> content_hash{};
  int width = 0;  // of the upright photo, pixels
  int height = 0;
};

// Decodes `file` (the bytes of a whole photo file) into pixels (150, 150, 3), blue green red, overwritten.
// Throws RefusedPhoto; pixels are then all zero, never those of another photo.
Photo decode_photo(const std::vector<uint8_t>& file, const PhotoRule& rule, const PhotoLimits& limits,
                   uint8_t* pixels);

// Reads a regular file of at most limits.file_bytes. Throws RefusedPhoto ("not a regular file", "empty",
// ...).
std::vector<uint8_t> read_photo_file(const std::string& path, const PhotoLimits& limits);

// read_photo_file and decode_photo.
Photo load_photo(const std::string& path, const PhotoRule& rule, const PhotoLimits& limits, uint8_t* pixels);

}  // namespace lookalike
