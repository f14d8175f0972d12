// Reads the .npy files of the golden runs: version 1.0, float32, float64 or uint8, C order, nothing else.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace lookalike::test {

template <class T>
struct Array {
  std::vector<int64_t> shape;
  std::vector<T> values;
};

template <class T>
constexpr const char* npy_type();
template <>
constexpr const char* npy_type<float>() {
  return "<f4";
}
template <>
constexpr const char* npy_type<double>() {
  return "<f8";
}
template <>
constexpr const char* npy_type<uint8_t>() {
  return "|u1";
}

// Throws std::runtime_error naming the file when it is anything but such an array of T.
template <class T>
Array<T> read_npy(const std::filesystem::path& path) {
  const auto require = [&path](bool condition, const char* what) {
    if (!condition) throw std::runtime_error(path.string() + ": " + what);
  };
  std::ifstream file(path, std::ios::binary);
  require(file.good(), "cannot be opened");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  require(bytes.size() >= 10 && bytes.compare(0, 8, "\x93NUMPY\x01\x00", 8) == 0, "is not .npy version 1.0");
  const std::size_t header_size = static_cast<uint8_t>(bytes[8]) + 256U * static_cast<uint8_t>(bytes[9]);
  require(bytes.size() >= 10 + header_size, "is cut short in its header");
  const std::string header = bytes.substr(10, header_size);

  static const std::regex kPattern(
      R"(\{'descr': '([<|a-z0-9]+)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n)");
  std::smatch match;
  require(std::regex_match(header, match, kPattern), "has an unknown header");
  require(match[1] == npy_type<T>(), "has another element type");

  Array<T> array;
  const std::string shape = match[2];
  static const std::regex kNumber("[0-9]{1,9}");
  int64_t elements = 1;
  for (std::sregex_iterator number(shape.begin(), shape.end(), kNumber), end; number != end; ++number) {
    array.shape.push_back(std::stoll(number->str()));
    elements *= array.shape.back();
    require(elements <= int64_t{1} << 32, "is too large");
  }
  require(bytes.size() == 10 + header_size + static_cast<std::size_t>(elements) * sizeof(T),
          "has another length than its shape says");
  array.values.resize(static_cast<std::size_t>(elements));
  std::memcpy(array.values.data(), bytes.data() + 10 + header_size, array.values.size() * sizeof(T));
  return array;
}

}  // namespace lookalike::test
