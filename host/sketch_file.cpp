#include "host/sketch_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "engine/error.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie");

constexpr std::array<char, 8> kMagic = {'L', 'K', 'S', 'K', 'E', 'T', 'C', 'H'};
constexpr uint32_t kVersion = 1;
// Far above any sketch or code that pays, and what keeps every product of sizes below within 64 bits.
constexpr uint64_t kMostNumbers = 1 << 15, kMostDimension = 1 << 24, kMostRows = uint64_t{1} << 40;
constexpr uint32_t kMostSections = 64;
constexpr auto kFloat = static_cast<int64_t>(sizeof(float));

using Digest = std::array<unsigned char, 16>;

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kVersion;
  uint32_t sections = 0;
  uint64_t dimension = 0, rows = 0, numbers = 0;
  Digest codes{}, table{};
  std::array<unsigned char, 40> zeros{};
  Digest header{};  // of all before it
};
static_assert(sizeof(Header) == 128 && offsetof(Header, header) == 112);

struct Section {
  std::array<char, 16> name{};
  uint64_t offset = 0, bytes = 0;
  Digest contents{};
  std::array<unsigned char, 16> zeros{};
};
static_assert(sizeof(Section) == 64);

struct BlockHead {
  double error = 0, longest = 0;
  uint64_t rows = 0;
  std::array<unsigned char, 24> zeros{};
  Digest rest{};  // of all before it and all floats of the block
};
static_assert(sizeof(BlockHead) == 64 && offsetof(BlockHead, rest) == 48);

constexpr auto kHeaderBytes = static_cast<int64_t>(sizeof(Header));
constexpr auto kSectionBytes = static_cast<int64_t>(sizeof(Section));
constexpr auto kHeadBytes = static_cast<int64_t>(sizeof(BlockHead));
constexpr const char* kProjection = "projection";
constexpr const char* kBlocks = "float32";

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", make it again with lookalike index");
}

Digest digest(std::initializer_list<std::span<const std::byte>> pieces) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_128bits_reset(state.get());
  for (const auto& piece : pieces) XXH3_128bits_update(state.get(), piece.data(), piece.size());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state.get()));
  Digest result{};
  std::memcpy(result.data(), canonical.digest, result.size());
  return result;
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}
std::span<const std::byte> floats(std::span<const float> values) { return std::as_bytes(values); }

Digest header_digest(const Header& header) {
  return digest({bytes_of(header).first(offsetof(Header, header))});
}

Digest block_digest(const BlockHead& head, std::span<const float> halves, std::span<const float> values) {
  return digest({bytes_of(head).first(offsetof(BlockHead, rest)), floats(halves), floats(values)});
}

// A fingerprint of the catalog's, as text, is hashed once more: any text will do.
Digest codes_digest(const std::string& fingerprint) {
  return digest({std::as_bytes(std::span(fingerprint))});
}

std::string hex(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

int64_t groups_of(int64_t rows) { return (rows + cpu::kSketchGroup - 1) / cpu::kSketchGroup; }
// A block's floats: halves, then values.
int64_t floats_of(int64_t rows, int64_t numbers) {
  return groups_of(rows) * cpu::kSketchGroup * (1 + numbers);
}
int64_t block_bytes(int64_t rows, int64_t numbers) { return kHeadBytes + floats_of(rows, numbers) * kFloat; }

int64_t all_block_bytes(int64_t rows, int64_t numbers) {
  const int64_t whole = rows / kSketchBlockRows, rest = rows % kSketchBlockRows;
  return whole * block_bytes(kSketchBlockRows, numbers) + (rest > 0 ? block_bytes(rest, numbers) : 0);
}

Section section(const char* name, int64_t offset, int64_t bytes, const Digest& contents) {
  Section one;
  std::memcpy(one.name.data(), name, std::strlen(name));
  one.offset = static_cast<uint64_t>(offset);
  one.bytes = static_cast<uint64_t>(bytes);
  one.contents = contents;
  return one;
}

// What a file is made of, checked.
struct Layout {
  Header header;
  std::vector<Section> sections;

  int64_t numbers() const { return static_cast<int64_t>(header.numbers); }

  // E_DAMAGED unless a section of that name is there and has `bytes`.
  const Section& find(const std::string& path, const char* name, int64_t bytes) const {
    for (const Section& one : sections) {
      if (std::string_view(one.name.data(), strnlen(one.name.data(), one.name.size())) != name) continue;
      if (one.bytes == static_cast<uint64_t>(bytes)) return one;
      throw damaged(path, fmt::format("its section {} has {} bytes where {} belong", name, one.bytes, bytes));
    }
    throw damaged(path, fmt::format("it has no section {}", name));
  }
};

Layout read_layout(const std::string& path, const RegularFile& file) {
  Layout layout;
  Header& header = layout.header;
  if (file.size < kHeaderBytes) throw damaged(path, "it is shorter than its header");
  read_at(file.descriptor.get(), path, 0, std::as_writable_bytes(std::span(&header, 1)));
  if (header.magic != kMagic) throw damaged(path, "it is no file of sketches");
  if (header.version != kVersion) throw damaged(path, fmt::format("its version is {}", header.version));
  if (header.header != header_digest(header)) throw damaged(path, "its header does not fit its checksum");
  if (header.sections > kMostSections || header.dimension < 1 || header.dimension > kMostDimension ||
      header.numbers == 1 || header.numbers > kMostNumbers ||
      (header.numbers > 0 && header.numbers - 1 > header.dimension) || header.rows > kMostRows) {
    throw damaged(path, "its header has sizes that no catalog has");
  }
  layout.sections.resize(header.sections);
  uint64_t end = sizeof(Header) + layout.sections.size() * sizeof(Section);
  if (static_cast<uint64_t>(file.size) < end) throw damaged(path, "it is shorter than its table");
  read_at(file.descriptor.get(), path, kHeaderBytes, std::as_writable_bytes(std::span(layout.sections)));
  if (digest({std::as_bytes(std::span(layout.sections))}) != header.table) {
    throw damaged(path, "its table does not fit its checksum");
  }
  for (const Section& one : layout.sections) {
    if (one.offset != end || one.bytes > static_cast<uint64_t>(file.size) - end) {
      throw damaged(path, fmt::format("its {} bytes are not those of its sections", file.size));
    }
    end += one.bytes;
  }
  if (end != static_cast<uint64_t>(file.size)) {
    throw damaged(path, fmt::format("it has {} bytes where {} belong", file.size, end));
  }
  return layout;
}

SketchProjection read_projection(const std::string& path, const RegularFile& file, const Layout& layout) {
  SketchProjection projection;
  projection.dimension = static_cast<int64_t>(layout.header.dimension);
  const int64_t bytes = projection.dimension * layout.numbers() * kFloat;
  const Section& place = layout.find(path, kProjection, bytes);
  projection.mean.resize(layout.header.dimension);
  projection.directions.resize(layout.header.dimension * (layout.header.numbers - 1));
  const auto at = static_cast<int64_t>(place.offset);
  read_at(file.descriptor.get(), path, at, std::as_writable_bytes(std::span(projection.mean)));
  read_at(file.descriptor.get(), path, at + projection.dimension * kFloat,
          std::as_writable_bytes(std::span(projection.directions)));
  if (digest({floats(projection.mean), floats(projection.directions)}) != place.contents) {
    throw damaged(path, "its projection does not fit its checksum");
  }
  return projection;
}

}  // namespace

std::string sketch_folder(const std::string& catalog) { return catalog + "/sketch"; }
std::string sketch_path(const std::string& catalog) { return sketch_folder(catalog) + "/sketches.bin"; }

SketchFileWriter::SketchFileWriter(const std::string& path, const Sketcher* sketcher, int64_t dimension,
                                   int64_t rows, const std::string& fingerprint)
    : file_(path) {
  Header header;
  header.dimension = static_cast<uint64_t>(dimension);
  header.rows = static_cast<uint64_t>(rows);
  header.codes = codes_digest(fingerprint);
  std::vector<Section> sections;
  if (sketcher != nullptr) {
    const SketchProjection& projection = sketcher->projection();
    const int64_t first = kHeaderBytes + 2 * kSectionBytes;
    const int64_t bytes = dimension * sketcher->size() * kFloat;
    sections.push_back(section(kProjection, first, bytes,
                               digest({floats(projection.mean), floats(projection.directions)})));
    sections.push_back(section(kBlocks, first + bytes, all_block_bytes(rows, sketcher->size()), {}));
    header.numbers = static_cast<uint64_t>(sketcher->size());
  }
  header.sections = static_cast<uint32_t>(sections.size());
  header.table = digest({std::as_bytes(std::span(sections))});
  header.header = header_digest(header);
  file_.write(bytes_of(header));
  file_.write(std::as_bytes(std::span(sections)));
  if (sketcher == nullptr) return;
  file_.write(floats(sketcher->projection().mean));
  file_.write(floats(sketcher->projection().directions));
}

void SketchFileWriter::add(const SketchBlockStorage& block) {
  BlockHead head;
  head.error = block.error;
  head.longest = block.longest;
  head.rows = static_cast<uint64_t>(block.rows);
  head.rest = block_digest(head, block.halves, block.values);
  file_.write(bytes_of(head));
  file_.write(floats(block.halves));
  file_.write(floats(block.values));
}

void SketchFileWriter::commit() { file_.commit(); }

SketchFile::SketchFile(const std::string& path) : path_(path), file_(open_regular(path)) {
  const Layout layout = read_layout(path, file_);
  dimension_ = static_cast<int64_t>(layout.header.dimension);
  rows_ = static_cast<int64_t>(layout.header.rows);
  fingerprint_ = hex(layout.header.codes);
  if (layout.numbers() == 0) return;
  first_block_ =
      static_cast<int64_t>(layout.find(path, kBlocks, all_block_bytes(rows_, layout.numbers())).offset);
  try {
    sketcher_ = std::make_unique<Sketcher>(read_projection(path, file_, layout));
  } catch (const std::invalid_argument& error) {
    throw damaged(path, error.what());
  }
}

int64_t SketchFile::blocks() const {
  return sketcher_ ? (rows_ + kSketchBlockRows - 1) / kSketchBlockRows : 0;
}

int64_t SketchFile::block_floats() const { return floats_of(kSketchBlockRows, sketcher_->size()); }

SketchBlock SketchFile::block(int64_t index, std::vector<float>& scratch) const {
  const int64_t numbers = sketcher_->size();
  const int64_t rows = std::min(kSketchBlockRows, rows_ - index * kSketchBlockRows);
  const int64_t start = first_block_ + index * block_bytes(kSketchBlockRows, numbers);
  BlockHead head;
  read_at(file_.descriptor.get(), path_, start, std::as_writable_bytes(std::span(&head, 1)));
  scratch.resize(static_cast<std::size_t>(floats_of(rows, numbers)));
  read_at(file_.descriptor.get(), path_, start + kHeadBytes, std::as_writable_bytes(std::span(scratch)));
  SketchBlock block;
  block.rows = rows;
  block.halves = std::span(scratch).first(static_cast<std::size_t>(groups_of(rows) * cpu::kSketchGroup));
  block.values = std::span(scratch).subspan(block.halves.size());
  block.error = head.error;
  block.longest = head.longest;
  if (head.rows != static_cast<uint64_t>(rows) ||
      head.rest != block_digest(head, block.halves, block.values)) {
    throw damaged(path_, fmt::format("block {} does not fit its checksum", index));
  }
  return block;
}

std::unique_ptr<SketchFile> open_sketches(const CatalogReader& catalog, std::string* why) {
  const std::string path = sketch_path(catalog.folder());
  if (!exists(path)) {
    *why = catalog.folder() + " has no sketches";
    return {};
  }
  try {
    auto file = std::make_unique<SketchFile>(path);
    if (file->rows() == catalog.rows() && file->dimension() == catalog.dimension() &&
        file->fingerprint() == hex(codes_digest(catalog.codes_fingerprint()))) {
      return file;
    }
    *why = path + " is of other codes than the catalog has now";
  } catch (const Error& error) {
    if (error.code() != ExitCode::kDamaged) throw;
    *why = error.what();
  }
  return {};
}

}  // namespace lookalike
