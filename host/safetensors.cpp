#include "host/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>

#include "engine/error.h"
#include "host/atomic_file.h"

namespace lookalike {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie");

using nlohmann::json;

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kChecksumKey = "checksum";
constexpr std::size_t kChecksumDigits = 32;
constexpr std::size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = uint64_t{1} << 20;
constexpr int64_t kMaxFileBytes = int64_t{256} << 20;  // far above any model of this program
constexpr std::size_t kMaxRank = 8;

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", copy the file again from where it was made");
}

struct Entry {
  std::optional<std::string> dtype;
  std::optional<std::vector<uint64_t>> shape, offsets;
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Entry> entries;
};

// Takes the header's JSON piece by piece: nothing is kept that the format does not allow, and a key that
// comes twice, however it is spelled, is seen.
class HeaderParser final : public nlohmann::json_sax<json> {
 public:
  Header header;
  std::string problem;  // empty: none

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) return enter(Place::kTop);
    if (place_ != Place::kTop) return unexpected("an object");
    return enter(key_ == kMetadataKey ? Place::kMetadata : Place::kTensor);
  }

  bool end_object() override {
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool key(std::string& key) override {
    bool first = true;
    if (place_ == Place::kTop) {
      if (key == kMetadataKey) {
        first = !std::exchange(has_metadata_, true);
      } else {
        first = header.entries.try_emplace(key).second;
        tensor_ = key;
      }
    } else if (place_ == Place::kMetadata) {
      first = header.metadata.try_emplace(key).second;
    } else if (key == "dtype") {
      first = !entry().dtype.has_value();
    } else if (key == "shape" || key == "data_offsets") {
      first = !(key == "shape" ? entry().shape : entry().offsets).has_value();
    } else {
      return fail("has the unknown field \"" + key + "\"");
    }
    key_ = key;
    return first || fail("has the key \"" + key + "\" twice");
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = value;
    } else if (place_ == Place::kTensor && key_ == "dtype") {
      entry().dtype = value;
    } else {
      return unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor || key_ == "dtype") return unexpected("a list");
    (key_ == "shape" ? entry().shape : entry().offsets).emplace();
    return enter(Place::kNumbers);
  }

  bool end_array() override { return enter(Place::kTensor); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return unexpected("a number");
    std::vector<uint64_t>& numbers = key_ == "shape" ? *entry().shape : *entry().offsets;
    if (numbers.size() == kMaxRank)
      return fail("has more than " + std::to_string(kMaxRank) + " numbers in " + key_);
    numbers.push_back(value);
    return true;
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("a fraction"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    problem = fmt::format("the header is no JSON at byte {}", kLengthBytes + position - 1);
    return false;
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kNumbers, kEnd };

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  Entry& entry() { return header.entries.at(tensor_); }
  bool unexpected(const std::string& what) { return fail("has " + what + " at \"" + key_ + "\""); }
  bool fail(const std::string& what) {
    const bool in_tensor = place_ == Place::kTensor || place_ == Place::kNumbers;
    problem = (in_tensor ? "tensor " + tensor_ : std::string("the header")) + " " + what;
    return false;
  }

  Place place_ = Place::kStart;
  bool has_metadata_ = false;
  std::string key_, tensor_;
};

// Where the value of "checksum" lies in the file. Quotes inside JSON texts are escaped, so only a key or
// value of its own matches.
std::optional<std::size_t> find_checksum(std::string_view head, std::string_view digits) {
  const std::string quoted = fmt::format("\"{}\"", digits);
  const std::size_t found = head.find(quoted);
  if (found == std::string_view::npos || head.find(quoted, found + 1) != std::string_view::npos) return {};
  return found + 1;
}

void check_checksum(const std::string& path, const Header& header, std::size_t header_end,
                    std::string bytes) {
  const auto checksum = header.metadata.find(std::string(kChecksumKey));
  if (checksum == header.metadata.end()) return;
  const std::string& digits = checksum->second;
  const auto place = find_checksum(std::string_view(bytes).substr(0, header_end), digits);
  if (digits.size() != kChecksumDigits || !place) throw damaged(path, "its checksum is not readable");
  bytes.replace(*place, kChecksumDigits, kChecksumDigits, '0');
  if (xxh3_hex(std::as_bytes(std::span(bytes))) != digits) {
    throw damaged(path, "its bytes do not fit its checksum");
  }
}

struct Piece {
  std::string name;
  uint64_t begin = 0, end = 0;
};

// The tensor's place in the data, after dtype, shape and length were checked.
Piece check_entry(const std::string& path, const std::string& name, const Entry& entry) {
  const std::string tensor = "tensor " + name;
  if (!entry.dtype || !entry.shape || !entry.offsets) {
    throw damaged(path, tensor + " lacks dtype, shape or data_offsets");
  }
  if (*entry.dtype != "F32") throw damaged(path, tensor + " is of type " + *entry.dtype + ", not F32");
  if (entry.offsets->size() != 2) throw damaged(path, tensor + " has not two data_offsets");
  uint64_t size = sizeof(float);
  for (const uint64_t dimension : *entry.shape) {
    if (dimension > static_cast<uint64_t>(kMaxFileBytes) || __builtin_mul_overflow(size, dimension, &size)) {
      throw damaged(path, tensor + " has an impossible shape");
    }
  }
  const uint64_t begin = (*entry.offsets)[0];
  const uint64_t end = (*entry.offsets)[1];
  if (end < begin || end - begin != size) {
    throw damaged(path, fmt::format("{} has offsets {} to {} for {} bytes", tensor, begin, end, size));
  }
  return {name, begin, end};
}

// In file order, and without hole, overlap or rest.
std::vector<Piece> check_pieces(const std::string& path, const Header& header, uint64_t data_bytes) {
  std::vector<Piece> pieces;
  for (const auto& [name, entry] : header.entries) pieces.push_back(check_entry(path, name, entry));
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t position = 0;
  for (const Piece& piece : pieces) {
    if (piece.begin != position) {
      throw damaged(path, fmt::format("tensor {} begins at {} of the data, not at {}", piece.name,
                                      piece.begin, position));
    }
    position = piece.end;
  }
  if (position != data_bytes) {
    throw damaged(path, fmt::format("its tensors take {} bytes, the file has {}", position, data_bytes));
  }
  return pieces;
}

std::optional<std::size_t> first_non_finite(std::span<const float> values) {
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return {};
  return static_cast<std::size_t>(bad - values.begin());
}

json header_entry(const std::string& name, const Tensor& tensor, uint64_t begin) {
  const int64_t count =
      std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>());
  if (name == kMetadataKey || count != static_cast<int64_t>(tensor.values.size())) {
    throw std::invalid_argument("tensor " + name + " has another shape than its values");
  }
  if (const auto bad = first_non_finite(tensor.values)) {
    throw non_finite_error(
        fmt::format("{} at {} of tensor {}, which is not stored", tensor.values[*bad], *bad, name));
  }
  return {{"dtype", "F32"},
          {"shape", tensor.shape},
          {"data_offsets", {begin, begin + tensor.values.size() * sizeof(float)}}};
}

}  // namespace

void write_tensor_file(const std::string& path, const TensorFile& file) {
  const std::string blank(kChecksumDigits, '0');
  json header;
  header[kMetadataKey] = file.metadata;
  header[kMetadataKey][kChecksumKey] = blank;
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    header[name] = header_entry(name, tensor, data.size());
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw usage_error("cannot write " + path + ": a name or value of its metadata is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  if (length > kMaxHeaderBytes) throw usage_error("cannot write " + path + ": its metadata is above 1 MiB");

  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += text;
  bytes += data;
  const std::size_t place =
      bytes.find(fmt::format("\"{}\":\"{}\"", kChecksumKey, blank)) + kChecksumKey.size() + 4;
  bytes.replace(place, kChecksumDigits, xxh3_hex(std::as_bytes(std::span(bytes))));

  AtomicFile out(path, static_cast<int64_t>(bytes.size()));
  out.write(bytes);
  out.commit();
}

TensorFile read_tensor_file(const std::string& path) {
  std::string bytes = read_file(path, kMaxFileBytes);
  if (bytes.size() < kLengthBytes) throw damaged(path, "it is shorter than a safetensors header");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    throw damaged(path,
                  fmt::format("byte 0 says a header of {} bytes, the file has {}", length, bytes.size()));
  }
  const std::string_view text = std::string_view(bytes).substr(kLengthBytes, length);
  if (!text.starts_with('{')) throw damaged(path, "byte 8 does not start a safetensors header");
  // To the JSON parser a zero byte would be the end.
  if (text.find('\0') != std::string_view::npos) throw damaged(path, "its header has a zero byte");

  HeaderParser parser;
  if (!json::sax_parse(text.begin(), text.end(), &parser)) throw damaged(path, parser.problem);
  const Header& header = parser.header;
  const std::size_t data_begin = kLengthBytes + length;
  check_checksum(path, header, data_begin, bytes);

  TensorFile file;
  file.metadata = header.metadata;
  for (const Piece& piece : check_pieces(path, header, bytes.size() - data_begin)) {
    const std::vector<uint64_t>& shape = *header.entries.at(piece.name).shape;
    Tensor& tensor = file.tensors[piece.name];
    tensor.shape.assign(shape.begin(), shape.end());
    tensor.values.resize((piece.end - piece.begin) / sizeof(float));
    // An empty tensor's values may lie at null.
    if (!tensor.values.empty()) {
      std::memcpy(tensor.values.data(), bytes.data() + data_begin + piece.begin, piece.end - piece.begin);
    }
    if (const auto bad = first_non_finite(tensor.values)) {
      throw damaged(path, fmt::format("tensor {} is not finite at {}", piece.name, *bad));
    }
  }
  return file;
}

}  // namespace lookalike
