#include "host/photo_codecs.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "engine/error.h"
#include "host/codecs/codecs.h"

namespace lookalike {
namespace {

const Codecs& codecs() {
  static const Codecs& loaded = []() -> const Codecs& {
    void* library = dlopen(kCodecsLibrary, RTLD_NOW | RTLD_LOCAL);  // stays until the process ends
    const void* symbol = library != nullptr ? dlsym(library, kCodecsSymbol) : nullptr;
    if (symbol == nullptr) {
      throw system_error(
          fmt::format("photos cannot be coded: {}; keep {} beside the program", dlerror(), kCodecsLibrary));
    }
    return *static_cast<const Codecs*>(symbol);
  }();
  return loaded;
}

}  // namespace

cv::Mat decode_image(const std::vector<uint8_t>& file, int flags) { return codecs().decode(file, flags); }

std::vector<uint8_t> encode_image(const std::string& extension, const cv::Mat& image,
                                  const std::vector<int>& parameters) {
  std::vector<uint8_t> file;
  if (!codecs().encode(extension, image, file, parameters)) {
    throw system_error(
        fmt::format("a picture could not be written as {}, check the OpenCV that is installed", extension));
  }
  return file;
}

}  // namespace lookalike
