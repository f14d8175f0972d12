// Images by index, whatever they are kept in.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace lookalike {

struct ImageSource {
  int64_t size = 0;
  // out (indices.size(), 150, 150, 3), overwritten.
  std::function<void(std::span<const int64_t> indices, std::span<uint8_t> out)> gather;
};

}  // namespace lookalike
