// Device memory as one block: parts are named and sized first, allocated together, then addressed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

class MemoryPlan {
 public:
  // A part of this many elements; its number. `shape` is for the printed plan: "256 x 152 x 152 x 16".
  template <class T>
  int add(const std::string& name, const std::vector<std::int64_t>& shape) {
    return add_bytes(name, shape, sizeof(T));
  }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t offset(int part) const { return parts_[static_cast<std::size_t>(part)].offset; }

  // A line for each part, then the sum: "  pool1          32 x 76 x 76 x 16       11.8 MB".
  std::string text() const;

 private:
  struct Part {
    std::string name;
    std::vector<std::int64_t> shape;
    std::int64_t offset, bytes;
  };
  int add_bytes(const std::string& name, const std::vector<std::int64_t>& shape, std::size_t element);

  std::vector<Part> parts_;
  std::int64_t bytes_ = 0;
};

// The memory of a plan.
class PlannedMemory {
 public:
  PlannedMemory() = default;
  explicit PlannedMemory(const MemoryPlan& plan)
      : plan_(plan), block_(static_cast<std::size_t>(plan.bytes())) {}

  template <class T>
  T* part(int part) const {
    return reinterpret_cast<T*>(block_.data() + plan_.offset(part));
  }
  std::int64_t bytes() const { return plan_.bytes(); }

 private:
  MemoryPlan plan_;
  gpu::Buffer<unsigned char> block_;
};

}  // namespace lookalike::cuda
