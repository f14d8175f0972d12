// The one comparison of the numerical tests. NaN or infinity on either side is always a difference.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace lookalike::test {

// What is compared, for the message of a failure.
struct Where {
  std::string operation;
  std::vector<int64_t> shape;  // of both sides, row-major
  std::string inputs;          // seed or name that makes them again
};

inline std::string coordinates(int64_t index, const std::vector<int64_t>& shape) {
  std::string text;
  for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
    text = std::to_string(index % *size) + (text.empty() ? "" : ", ") + text;
    index /= *size;
  }
  return "(" + text + ")";
}

// |expected - actual| <= bound(i) for every element i. A failure reports the element farthest over its bound.
template <class Expected, class Actual, class Bound>
::testing::AssertionResult within(const Where& where, const Expected& expected, const Actual& actual,
                                  const Bound& bound) {
  std::ostringstream text;
  text.precision(17);
  text << where.operation << " " << ::testing::PrintToString(where.shape) << ", " << where.inputs << ": ";
  int64_t elements = 1;
  for (const int64_t size : where.shape) elements *= size;
  if (std::ssize(expected) != elements || std::ssize(actual) != elements)
    return ::testing::AssertionFailure() << text.str() << "sizes differ: expected " << std::size(expected)
                                         << ", actual " << std::size(actual);
  int64_t different = 0;
  int64_t worst = 0;
  double worst_excess = -1.0;
  for (int64_t i = 0; i < elements; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double error = std::abs(static_cast<double>(expected[at]) - static_cast<double>(actual[at]));
    const double allowed = bound(at);
    if (error <= allowed && std::isfinite(allowed)) continue;
    const double excess =
        std::isfinite(error - allowed) ? error - allowed : std::numeric_limits<double>::infinity();
    if (excess > worst_excess) {
      worst = i;
      worst_excess = excess;
    }
    ++different;
  }
  if (different == 0) return ::testing::AssertionSuccess();
  const auto at = static_cast<std::size_t>(worst);
  const auto e = static_cast<double>(expected[at]);
  const auto a = static_cast<double>(actual[at]);
  text << different << " of " << elements << " elements differ; worst at [" << worst << "] "
       << coordinates(worst, where.shape) << ": expected " << e << ", actual " << a << ", error "
       << std::abs(e - a) << ", allowed " << bound(at);
  return ::testing::AssertionFailure() << text.str();
}

template <class Expected, class Actual>
::testing::AssertionResult equal(const Where& where, const Expected& expected, const Actual& actual) {
  return within(where, expected, actual, [](std::size_t) { return 0.0; });
}

// The same bits, signs of zero and NaN included.
template <class T>
::testing::AssertionResult same_bytes(const Where& where, std::span<const T> expected,
                                      std::span<const T> actual) {
  const auto a = std::as_bytes(expected);
  const auto b = std::as_bytes(actual);
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << where.operation << ", " << where.inputs << ": sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i])
      return ::testing::AssertionFailure()
             << where.operation << ", " << where.inputs << ": bytes differ, first at element "
             << i / sizeof(T) << " " << coordinates(static_cast<int64_t>(i / sizeof(T)), where.shape)
             << ": expected " << +expected[i / sizeof(T)] << ", actual " << +actual[i / sizeof(T)];
  return ::testing::AssertionSuccess();
}

// A buffer between two walls of known bytes, which a kernel must leave alone.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t size)
      : size_(static_cast<std::size_t>(size)), bytes_(2 * kWall + size_ * sizeof(T), kPattern) {}

  T* data() { return reinterpret_cast<T*>(bytes_.data() + kWall); }
  std::span<T> span() { return {data(), size_}; }
  std::vector<T> copy() { return {data(), data() + size_}; }

  ::testing::AssertionResult intact() const {
    for (std::size_t i = 0; i < kWall; ++i)
      for (const std::size_t at : {i, bytes_.size() - 1 - i})
        if (bytes_[at] != kPattern)
          return ::testing::AssertionFailure()
                 << "a kernel wrote outside its buffer of " << size_ << " elements, at byte "
                 << static_cast<int64_t>(at) - static_cast<int64_t>(kWall);
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr std::size_t kWall = 256;  // bytes; four vectors of the widest kind
  static constexpr uint8_t kPattern = 0xA5;  // as float, a small negative number
  std::size_t size_;
  std::vector<uint8_t> bytes_;
};

}  // namespace lookalike::test
