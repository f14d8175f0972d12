#include "host/codecs/codecs.h"

#include <opencv2/imgcodecs.hpp>

namespace {

cv::Mat decode(const std::vector<uint8_t>& file, int flags) { return cv::imdecode(file, flags); }

bool encode(const std::string& extension, const cv::Mat& image, std::vector<uint8_t>& file,
            const std::vector<int>& parameters) {
  return cv::imencode(extension, image, file, parameters);
}

}  // namespace

extern "C" {
extern const lookalike::Codecs lookalike_codecs;
const lookalike::Codecs lookalike_codecs{decode, encode};
}
