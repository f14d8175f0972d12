#include "host/foreign_matrix.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "engine/error.h"

namespace lookalike {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxHeaderBytes = 1 << 16;
constexpr int64_t kMostColumns = 65'536;  // so that a few thousand rows fit in memory

// Of a header that a stranger wrote.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 60;
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", write it again with numpy.save");
}

// The header's text, a Python dictionary of three entries: {'descr': '<f4', 'fortran_order': False, 'shape':
// (3, 4), }. Entries may come in any order.
class HeaderText {
 public:
  HeaderText(const std::string& path, std::string_view text) : path_(path), rest_(text) {}

  // Values as they are written, without the quotes of a text.
  std::map<std::string, std::string> entries() {
    std::map<std::string, std::string> found;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      skip();
      std::string value;
      if (rest_.starts_with('\'') || rest_.starts_with('"')) {
        value = quoted();
      } else if (rest_.starts_with('(')) {
        value = until(')') + ')';
        rest_.remove_prefix(1);
      } else if (rest_.starts_with('[')) {
        value = until(']') + ']';
        rest_.remove_prefix(1);
      } else {
        value = word();
      }
      if (!found.emplace(key, value).second)
        throw damaged(path_, "its header has " + shortened(key) + " twice");
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (!rest_.empty()) throw damaged(path_, "its header does not end where it should");
    return found;
  }

 private:
  void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  bool take(char c) {
    skip();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) throw damaged(path_, fmt::format("its header lacks a '{}'", c));
  }
  std::string until(char c) {
    const std::size_t end = rest_.find(c);
    if (end == std::string_view::npos) throw damaged(path_, fmt::format("its header lacks a '{}'", c));
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return text;
  }
  std::string quoted() {
    skip();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"'))
      throw damaged(path_, "its header lacks a quote");
    const char quote = rest_[0];
    rest_.remove_prefix(1);
    std::string text = until(quote);
    rest_.remove_prefix(1);
    return text;
  }
  std::string word() {
    const std::size_t end = std::min(rest_.find_first_of(",} \n"), rest_.size());
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return text;
  }

  const std::string& path_;
  std::string_view rest_;
};

// "(3, 4)" or "(3,)": the numbers, digits alone and each below 2^63; nothing where it is no such list.
std::optional<std::vector<int64_t>> shape_of(std::string_view text) {
  std::vector<int64_t> shape;
  text = text.substr(1, text.size() - 2);
  const auto skip = [&] { text.remove_prefix(std::min(text.find_first_not_of(' '), text.size())); };
  for (skip(); !text.empty(); skip()) {
    int64_t value = 0;
    if (text[0] < '0' || text[0] > '9') return {};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    shape.push_back(value);
    skip();
    if (!text.empty() && text[0] != ',') return {};
    if (!text.empty()) text.remove_prefix(1);
  }
  return shape;
}

int number_bytes(const std::string& path, const std::string& descr) {
  if (descr == "<f2") return 2;
  if (descr == "<f4") return 4;
  if (descr == "<f8") return 8;
  throw usage_error(
      fmt::format("{} holds numbers of type '{}', import-codes takes float16, float32 and "
                  "float64, save x.astype('<f4')",
                  path, shortened(descr)));
}

}  // namespace

ForeignMatrix::ForeignMatrix(const std::string& path) : path_(path), file_(open_regular(path)) {
  const auto text_at = [&](int64_t offset, int64_t size) {
    if (size > file_.size - offset) throw damaged(path, "it is cut off in its header");
    std::string text(static_cast<std::size_t>(size), '\0');
    read_at(file_.descriptor.get(), path, offset, std::as_writable_bytes(std::span(text)));
    return text;
  };
  const std::string start = text_at(0, 8);
  if (!start.starts_with(kMagic)) throw damaged(path, "byte 0 does not start a .npy file");
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3 || start[7] != 0) {
    throw damaged(path, fmt::format("its format {}.{} is none of 1.0 to 3.0", version,
                                    static_cast<int>(static_cast<unsigned char>(start[7]))));
  }
  const int64_t length_bytes = version == 1 ? 2 : 4;
  int64_t length = 0;
  const std::string length_text = text_at(8, length_bytes);
  for (std::size_t i = length_text.size(); i-- > 0;) {
    length = length * 256 + static_cast<unsigned char>(length_text[i]);
  }
  if (length > kMaxHeaderBytes) throw damaged(path, fmt::format("its header has {} bytes", length));
  data_ = 8 + length_bytes + length;
  const std::string header = text_at(8 + length_bytes, length);
  const auto entries = HeaderText(path, header).entries();
  if (entries.size() != 3 || !entries.contains("descr") || !entries.contains("fortran_order") ||
      !entries.contains("shape")) {
    throw damaged(path, "its header has not descr, fortran_order and shape alone");
  }
  number_bytes_ = number_bytes(path, entries.at("descr"));
  const std::string& order = entries.at("fortran_order");
  if (order != "True" && order != "False")
    throw damaged(path, "its fortran_order is '" + shortened(order) + "'");
  const std::string& shape_text = entries.at("shape");
  const auto shape = shape_text.starts_with('(') ? shape_of(shape_text) : std::nullopt;
  if (!shape) throw damaged(path, "its shape is '" + shortened(shape_text) + "'");
  if (shape->size() != 2 || shape->at(1) == 0) {
    throw usage_error(
        fmt::format("{} has the shape {}, import-codes takes (rows, numbers), save "
                    "x.reshape(len(x), -1)",
                    path, shortened(shape_text)));
  }
  rows_ = shape->at(0);
  columns_ = shape->at(1);
  if (columns_ > kMostColumns) {
    throw usage_error(
        fmt::format("{} has {} numbers a row, import-codes takes at most {}", path, columns_, kMostColumns));
  }
  if (order == "True" && rows_ > 1 && columns_ > 1) {
    throw usage_error(path + " is in Fortran order, save numpy.ascontiguousarray(x)");
  }
  int64_t wanted = 0;
  if (__builtin_mul_overflow(rows_, columns_, &wanted) ||
      __builtin_mul_overflow(wanted, int64_t{number_bytes_}, &wanted) || wanted != file_.size - data_) {
    throw damaged(path,
                  fmt::format("its header says {} of {} bytes a number, which are not the {} bytes after it",
                              shape_text, number_bytes_, file_.size - data_));
  }
}

void ForeignMatrix::read_rows(int64_t first, int64_t count, std::span<float> out) {
  if (first < 0 || count < 0 || first > rows_ - count || std::ssize(out) != count * columns_) {
    throw std::out_of_range(
        fmt::format("rows {} + {} of {} into {} floats", first, count, rows_, out.size()));
  }
  const int64_t offset = data_ + first * columns_ * number_bytes_;
  if (number_bytes_ == 4) {
    read_at(file_.descriptor.get(), path_, offset, std::as_writable_bytes(out));
    return;
  }
  bytes_.resize(out.size() * static_cast<std::size_t>(number_bytes_));
  read_at(file_.descriptor.get(), path_, offset, bytes_);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (number_bytes_ == 2) {
      uint16_t half = 0;
      std::memcpy(&half, bytes_.data() + 2 * i, sizeof half);
      out[i] = half_to_float(half);
    } else {
      double value = 0;
      std::memcpy(&value, bytes_.data() + 8 * i, sizeof value);
      out[i] = static_cast<float>(value);
    }
  }
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = half >> 10 & 0x1FU, fraction = half & 0x3FFU;
  if (exponent == 0) {  // fraction times 2^-24
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign == 0 ? value : -value;
  }
  const uint32_t bits = exponent == 31 ? 0x7F800000U : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | bits | fraction << 13);
}

}  // namespace lookalike
