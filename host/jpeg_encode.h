// Pictures to JPEG without OpenCV's imgcodecs, whose many libraries a catalog of JPEG photos never needs.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace lookalike {

// image: CV_8UC3, blue green red, sides 1 .. 65,500 pixels. quality: libjpeg's 1 .. 100. Baseline, colours at
// half resolution: the bytes that cv::imencode writes. Throws E_SYSTEM where libjpeg does not encode.
std::vector<uint8_t> encode_jpeg(const cv::Mat& image, int quality);

}  // namespace lookalike
