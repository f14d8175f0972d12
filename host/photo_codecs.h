// OpenCV's imgcodecs, loaded when the first picture that is no JPEG is coded: it brings more than a hundred
// shared libraries, and `lookalike --help` has none to wait for.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace lookalike {

// cv::imdecode. flags: cv::ImreadModes. Empty where the bytes are no image; throws cv::Exception as that
// does, E_SYSTEM where liblookalike_codecs.so cannot be loaded.
cv::Mat decode_image(const std::vector<uint8_t>& file, int flags);

// cv::imencode. extension: ".png"; parameters: pairs of cv::ImwriteFlags and value. Throws E_SYSTEM where it
// does not encode.
std::vector<uint8_t> encode_image(const std::string& extension, const cv::Mat& image,
                                  const std::vector<int>& parameters = {});

}  // namespace lookalike
