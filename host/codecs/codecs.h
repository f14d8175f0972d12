// What liblookalike_codecs.so exports. Both sides use the same OpenCV core and the same C++ library.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace lookalike {

struct Codecs {
  cv::Mat (*decode)(const std::vector<uint8_t>& file, int flags);
  bool (*encode)(const std::string& extension, const cv::Mat& image, std::vector<uint8_t>& file,
                 const std::vector<int>& parameters);
};

inline constexpr const char* kCodecsLibrary = "liblookalike_codecs.so";
inline constexpr const char* kCodecsSymbol = "lookalike_codecs";  // const Codecs

}  // namespace lookalike
