#include "host/photo.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/error.h"
#include "host/photo_decode.h"
#include "host/photo_fit.h"

namespace lookalike {
namespace {

bool starts_with(Bytes file, std::string_view mark, size_t at = 0) {
  return file.size() >= at + mark.size() &&
         std::equal(mark.begin(), mark.end(), file.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

}  // namespace

// By the bytes alone: names lie.
StoredPhoto decode_stored(Bytes file, const PhotoRule& rule, const PhotoLimits& limits) {
  using std::string_view_literals::operator""sv;
  if (starts_with(file, "\xFF\xD8\xFF"sv)) return decode_jpeg(file, limits, rule.fit);
  if (starts_with(file, "\x89PNG\r\n\x1A\n"sv)) return decode_png(file, limits, rule.background);
  if (starts_with(file, "RIFF"sv) && starts_with(file, "WEBP"sv, 8)) {
    return decode_webp(file, limits, rule.background);
  }
  if (starts_with(file, "BM"sv)) return decode_bmp(file, limits, rule.background);
  if (starts_with(file, "II*\0"sv) || starts_with(file, "MM\0*"sv)) {
    return decode_tiff(file, limits, rule.background);
  }
  if (starts_with(file, "GIF87a"sv) || starts_with(file, "GIF89a"sv)) {
    return decode_gif(file, limits, rule.background);
  }
  if (starts_with(file, "ftyp"sv, 4))
    throw RefusedPhoto("HEIC, AVIF or video is not read; convert it to JPEG");
  throw RefusedPhoto("not a JPEG, PNG, WebP, BMP, TIFF or GIF photo");
}

std::string to_string(Fit fit) {
  switch (fit) {
    case Fit::kPad:
      return "pad";
    case Fit::kCrop:
      return "crop";
    case Fit::kStretch:
      return "stretch";
  }
  throw std::logic_error("a Fit without a name");
}

Fit parse_fit(const std::string& text) {
  for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
    if (text == to_string(fit)) return fit;
  }
  throw usage_error(fmt::format("\"{}\" is no way to fit a photo, give pad, crop or stretch", text));
}

std::string to_string(const PhotoRule& rule) {
  const auto& [blue, green, red] = rule.background;
  return fmt::format("{} #{:02x}{:02x}{:02x}", to_string(rule.fit), red, green, blue);
}

std::string to_string(const PhotoLimits& limits) {
  return fmt::format("{} pixels, {} bytes, {} scans", limits.pixels, limits.file_bytes, limits.jpeg_scans);
}

std::array<uint8_t, 3> parse_background(const std::string& text) {
  struct Named {
    std::string_view name;
    uint32_t rgb;
  };
  constexpr Named kNames[] = {{"white", 0xFFFFFF},   {"black", 0x000000},  {"grey", 0x808080},
                              {"gray", 0x808080},    {"silver", 0xC0C0C0}, {"red", 0xFF0000},
                              {"maroon", 0x800000},  {"yellow", 0xFFFF00}, {"olive", 0x808000},
                              {"lime", 0x00FF00},    {"green", 0x008000},  {"aqua", 0x00FFFF},
                              {"teal", 0x008080},    {"blue", 0x0000FF},   {"navy", 0x000080},
                              {"fuchsia", 0xFF00FF}, {"purple", 0x800080}};
  constexpr size_t kDigits = 6;
  uint32_t rgb = 0;
  const auto* named = std::ranges::find(kNames, text, &Named::name);
  if (named != std::end(kNames)) {
    rgb = named->rgb;
  } else {
    const char* end = text.data() + text.size();
    const bool marked = text.starts_with('#') && text.size() == 1 + kDigits;
    const auto [stop, error] = std::from_chars(marked ? text.data() + 1 : end, end, rgb, 16);
    if (!marked || error != std::errc() || stop != end) {
      throw usage_error("--background is '" + text +
                        "', take a name as white or black, or red, green, blue as #ffffff");
    }
  }
  return {static_cast<uint8_t>(rgb), static_cast<uint8_t>(rgb >> 8), static_cast<uint8_t>(rgb >> 16)};
}

PhotoRule parse_photo_rule(const std::string& text) {
  for (const Fit fit : {Fit::kPad, Fit::kCrop, Fit::kStretch}) {
    const std::string start = to_string(fit) + " #";
    if (!text.starts_with(start) || text.size() != start.size() + 6) continue;
    PhotoRule rule{fit, {}};
    const char* digits = text.data() + start.size();
    bool valid = std::all_of(digits, digits + 6, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    for (size_t c = 0; c < 3 && valid; ++c) {
      std::from_chars(digits + 2 * c, digits + 2 * c + 2, rule.background[2 - c], 16);
    }
    if (valid) return rule;
  }
  throw damaged_error(
      fmt::format("photo rule \"{}\" is unknown, it reads like \"pad #ffffff\"; make the file again", text));
}

std::array<uint64_t, 2> content_hash(const std::vector<uint8_t>& file) {
  const XXH128_hash_t hash = XXH3_128bits(file.data(), file.size());
  return {hash.high64, hash.low64};
}

Photo decode_photo(const std::vector<uint8_t>& file, const PhotoRule& rule, const PhotoLimits& limits,
                   uint8_t* pixels) {
  std::fill_n(pixels, kImageBytes, uint8_t{0});
  check_file_size(static_cast<int64_t>(file.size()), limits);

  const StoredPhoto stored = decode_stored(file, rule, limits);
  Photo photo{content_hash(file), stored.width, stored.height};
  if (swaps_sides(stored.orientation)) std::swap(photo.width, photo.height);
  fit_photo(upright(stored.pixels, stored.orientation), photo.width, photo.height, rule, pixels);
  return photo;
}

Photo load_photo(const std::string& path, const PhotoRule& rule, const PhotoLimits& limits, uint8_t* pixels) {
  std::fill_n(pixels, kImageBytes, uint8_t{0});
  return decode_photo(read_photo_file(path, limits), rule, limits, pixels);
}

}  // namespace lookalike
