#include "engine/cuda/memory_plan.h"

#include <cstdio>
#include <stdexcept>

namespace lookalike::cuda {
namespace {

constexpr std::int64_t kAlignment = 256;  // bytes, as allocations have it

std::string line(const std::string& name, const std::string& shape, std::int64_t bytes) {
  char text[160];
  std::snprintf(text, sizeof text, "  %-16s%-26s%10.1f MB", name.c_str(), shape.c_str(),
                static_cast<double>(bytes) / 1e6);
  return text;
}

}  // namespace

int MemoryPlan::add_bytes(const std::string& name, const std::vector<std::int64_t>& shape,
                          std::size_t element) {
  auto bytes = static_cast<std::int64_t>(element);
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes))
      throw std::length_error("the memory plan's " + name + " is larger than any memory");
  parts_.push_back({name, shape, bytes_, bytes});
  if (__builtin_add_overflow(bytes_, bytes + (kAlignment - 1), &bytes_))
    throw std::length_error("the memory plan is larger than any memory");
  bytes_ = bytes_ / kAlignment * kAlignment;
  return static_cast<int>(parts_.size()) - 1;
}

std::string MemoryPlan::text() const {
  std::string text;
  for (const Part& part : parts_) {
    std::string shape;
    for (const std::int64_t extent : part.shape)
      shape += (shape.empty() ? "" : " x ") + std::to_string(extent);
    text += line(part.name, shape, part.bytes) + '\n';
  }
  return text + line("together", "", bytes_);
}

}  // namespace lookalike::cuda
