// For tests of kernels/cuda: one source, built with the emulator as emulated.* and by nvcc as device.*, which
// are skipped where there is no device.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"
#include "tests/support/compare.h"

namespace lookalike::test {

class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason = "no CUDA device";
    if (!gpu::available(&reason)) GTEST_SKIP() << reason;
  }
};

#if defined(__has_feature)
#define LOOKALIKE_HAS_FEATURE(x) __has_feature(x)
#else
#define LOOKALIKE_HAS_FEATURE(x) 0
#endif

// AddressSanitizer has walls of its own, and sees reads as well, if ours do not hide them.
#if defined(__SANITIZE_ADDRESS__) || LOOKALIKE_HAS_FEATURE(address_sanitizer)
inline constexpr std::size_t kWall = 0;
#else
inline constexpr std::size_t kWall = 512;  // bytes
#endif

// ThreadSanitizer takes a hundred times as long: tests then run small shapes.
#if defined(__SANITIZE_THREAD__) || LOOKALIKE_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kSmallShapes = true;
#else
inline constexpr bool kSmallShapes = false;
#endif

// Device memory between walls of known bytes, itself filled with 0xff (NaN) until a kernel writes it.
template <class T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::int64_t size)
      : size_(static_cast<std::size_t>(size)), bytes_(2 * kWall + size_ * sizeof(T)) {
    gpu::fill(bytes_.data(), kPattern, bytes_.size(), nullptr);
    gpu::fill(data(), 0xff, size_ * sizeof(T), nullptr);
    gpu::synchronize(nullptr);
  }

  T* data() const { return reinterpret_cast<T*>(bytes_.data() + kWall); }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    gpu::copy(values.data(), data(), size_ * sizeof(T), nullptr);
    gpu::synchronize(nullptr);
    return values;
  }
  ::testing::AssertionResult intact() const {
    const std::vector<std::uint8_t> all = bytes_.host();
    for (std::size_t i = 0; i < kWall; ++i)
      for (const std::size_t at : {i, all.size() - 1 - i})
        if (all[at] != kPattern)
          return ::testing::AssertionFailure()
                 << "a kernel wrote outside its buffer of " << size_ << " elements, at byte "
                 << static_cast<std::int64_t>(at) - static_cast<std::int64_t>(kWall);
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr std::uint8_t kPattern = 0xA5;
  std::size_t size_;
  gpu::Buffer<std::uint8_t> bytes_;
};

}  // namespace lookalike::test
