#include "host/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <stdexcept>
#include <string_view>

#include "engine/error.h"
#include "host/files.h"
#include "host/fingerprint.h"

namespace lookalike {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of a row are written as they lie");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kBeforeShape = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
constexpr std::size_t kPreambleBytes = 10;  // magic, version, length of the rest

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", copy it again, or encode or import again");
}

// The number at `position`, which moves behind it. Digits alone, below 2^63; no sign.
bool parse_count(std::string_view text, std::size_t& position, int64_t& value) {
  const char* first = text.data() + position;
  const char* last = text.data() + text.size();
  if (first == last || *first < '0' || *first > '9') return false;
  const auto [end, error] = std::from_chars(first, last, value);
  if (error != std::errc()) return false;
  position = static_cast<std::size_t>(end - text.data());
  return true;
}

std::size_t first_difference(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

std::string npy_header(int64_t rows, int64_t columns) {
  std::string header(kMagic);
  const auto rest = static_cast<std::size_t>(kNpyHeaderBytes) - kPreambleBytes;
  header += {'\x01', '\x00', static_cast<char>(rest), '\x00'};
  header += kBeforeShape;
  header += fmt::format("{}, {}), }}", rows, columns);
  header.resize(static_cast<std::size_t>(kNpyHeaderBytes) - 1, ' ');
  return header + '\n';
}

NpyWriter::NpyWriter(const std::string& path, int64_t columns) : path_(path), columns_(columns), file_(path) {
  file_.write(npy_header(0, columns));
}

void NpyWriter::append(std::span<const float> rows) {
  if (std::ssize(rows) % columns_ != 0) {
    throw std::invalid_argument(fmt::format("{} floats are no rows of {}", rows.size(), columns_));
  }
  file_.write(std::as_bytes(rows));
  rows_ += std::ssize(rows) / columns_;
}

std::string NpyWriter::commit() {
  const std::string header = npy_header(rows_, columns_);
  file_.overwrite(0, std::as_bytes(std::span(header)));
  // Read back: the checksum begins with the header, and that is known only now.
  constexpr int64_t kBlock = int64_t{1} << 20;
  const int64_t size = kNpyHeaderBytes + rows_ * columns_ * int64_t{sizeof(float)};
  Fingerprint hash;
  std::vector<std::byte> block(static_cast<std::size_t>(std::min(kBlock, size)));
  for (int64_t done = 0; done < size; done += std::ssize(block)) {
    block.resize(static_cast<std::size_t>(std::min(kBlock, size - done)));
    read_at(file_.descriptor(), path_, done, block);
    hash.add_raw(block);
  }
  file_.commit();
  return hash.hex();
}

// The header has one form for each shape, so the shape is parsed and everything else compared with that form.
NpyReader::NpyReader(const std::string& path) : path_(path) {
  RegularFile file = open_regular(path);
  if (file.size < kNpyHeaderBytes) {
    throw damaged(path, fmt::format("its {} bytes are less than the header of a .npy file", file.size));
  }
  std::array<char, kNpyHeaderBytes> bytes{};
  read_at(file.descriptor.get(), path, 0, std::as_writable_bytes(std::span(bytes)));
  const std::string_view header(bytes.data(), bytes.size());
  if (!header.starts_with(kMagic)) throw damaged(path, "byte 0 does not start a .npy file");

  const std::string prefix = npy_header(0, 0).substr(0, kPreambleBytes + kBeforeShape.size());
  std::size_t position = first_difference(prefix, header);
  bool shape = position == prefix.size() && parse_count(header, position, rows_);
  shape = shape && header.substr(position).starts_with(", ");
  if (shape) {
    position += 2;
    shape = parse_count(header, position, columns_);
  }
  if (shape) position = first_difference(header, npy_header(rows_, columns_));
  if (!shape || position != header.size()) {
    throw damaged(path, fmt::format("the header at byte {} is not that of a version 1.0 array "
                                    "(rows, columns) of '<f4' in C order",
                                    position));
  }
  if (columns_ == 0) throw damaged(path, "its rows have no columns");

  int64_t bytes_wanted = 0;
  if (__builtin_mul_overflow(rows_, columns_, &bytes_wanted) ||
      __builtin_mul_overflow(bytes_wanted, int64_t{sizeof(float)}, &bytes_wanted) ||
      bytes_wanted != file.size - kNpyHeaderBytes) {
    throw damaged(path, fmt::format("its header says ({}, {}) float32, which are not the {} bytes after it",
                                    rows_, columns_, file.size - kNpyHeaderBytes));
  }
  descriptor_ = file.descriptor.release();
}

NpyReader::~NpyReader() { FileDescriptor closing(descriptor_); }

void NpyReader::read_rows(int64_t first, int64_t count, std::span<float> out) const {
  if (first < 0 || count < 0 || first > rows_ - count ||
      out.size() != static_cast<std::size_t>(count * columns_)) {
    throw std::out_of_range(
        fmt::format("rows {} + {} of {} into {} floats", first, count, rows_, out.size()));
  }
  const int64_t row_bytes = columns_ * int64_t{sizeof(float)};
  read_at(descriptor_, path_, kNpyHeaderBytes + first * row_bytes, std::as_writable_bytes(out));
}

}  // namespace lookalike
