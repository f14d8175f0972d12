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
#include <utility>
#include <vector>

#include "engine/error.h"
#include "kernels/cpu/sketch_scan.h"

namespace lookalike {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie");

constexpr std::array<char, 8> kMagic = {'L', 'K', 'S', 'K', 'E', 'T', 'C', 'H'};
constexpr uint32_t kVersion = 2;
// Far above any sketch or code that pays, and what keeps every product of sizes below within 64 bits.
constexpr uint64_t kMostNumbers = cpu::kMostSketchBytes, kMostDimension = kMostSketchedDimension,
                   kMostRows = uint64_t{1} << 40;
constexpr uint32_t kMostSections = 64;
constexpr auto kFloat = static_cast<int64_t>(sizeof(float));

using Digest = std::array<unsigned char, 16>;

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kVersion;
  uint32_t sections = 0;
  uint64_t dimension = 0, rows = 0, numbers = 0, bytes = 0;
  Digest codes{}, table{};
  std::array<unsigned char, 32> zeros{};
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
  double byte_error = 0, fine_error = 0;
  uint64_t rows = 0;
  std::array<unsigned char, 24> zeros{};
  Digest rest{};  // of all before it, halves and bytes
};
static_assert(sizeof(BlockHead) == 64 && offsetof(BlockHead, rest) == 48);

constexpr auto kHeaderBytes = static_cast<int64_t>(sizeof(Header));
constexpr auto kSectionBytes = static_cast<int64_t>(sizeof(Section));
constexpr auto kHalfBytes = static_cast<int64_t>(sizeof(int32_t));
constexpr auto kRowDigestBytes = static_cast<int64_t>(sizeof(uint64_t));
constexpr auto kHeadBytes = static_cast<int64_t>(sizeof(BlockHead));
constexpr const char* kProjection = "projection";
constexpr const char* kScale = "scale";
constexpr const char* kFineScale = "fine scale";
constexpr const char* kBlocks = "blocks";

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

Digest block_digest(const BlockHead& head, std::span<const int32_t> halves, std::span<const uint8_t> bytes) {
  return digest(
      {bytes_of(head).first(offsetof(BlockHead, rest)), std::as_bytes(halves), std::as_bytes(bytes)});
}

uint64_t row_digest(std::span<const int8_t> fine) { return XXH3_64bits(fine.data(), fine.size()); }

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

// Of a file's blocks: numbers m + 1 of a sketch, bytes n of one that is scanned.
struct BlockShape {
  int64_t numbers = 0, bytes = 0;

  int64_t halves(int64_t rows) const { return groups_of(rows) * cpu::kSketchGroup; }
  int64_t stored(int64_t rows) const { return halves(rows) * ((bytes + 3) / 4 * 4); }
  // Halves and bytes; a row's sketch with its checksum; all of a block.
  int64_t scanned(int64_t rows) const { return halves(rows) * kHalfBytes + stored(rows); }
  int64_t record() const { return numbers + kRowDigestBytes; }
  int64_t all(int64_t rows) const { return kHeadBytes + scanned(rows) + rows * record(); }
  int64_t all_blocks(int64_t rows) const {
    const int64_t whole = rows / kSketchBlockRows, rest = rows % kSketchBlockRows;
    return whole * all(kSketchBlockRows) + (rest > 0 ? all(rest) : 0);
  }
};

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
  BlockShape shape() const { return {numbers(), static_cast<int64_t>(header.bytes)}; }

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
      (header.numbers > 0 && header.numbers - 1 > header.dimension) || header.bytes > header.numbers ||
      (header.numbers > 0 && header.bytes == 0) || (header.numbers == 0 && header.sections > 0) ||
      header.rows > kMostRows) {
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

ByteSketcher read_scale(const std::string& path, const RegularFile& file, const Layout& layout) {
  const auto n = static_cast<std::size_t>(layout.shape().bytes);
  const Section& place = layout.find(path, kScale, static_cast<int64_t>(sizeof(double) + n * sizeof(float)));
  double step = 0;
  std::vector<float> centre(n);
  const auto at = static_cast<int64_t>(place.offset);
  read_at(file.descriptor.get(), path, at, std::as_writable_bytes(std::span(&step, 1)));
  read_at(file.descriptor.get(), path, at + static_cast<int64_t>(sizeof step),
          std::as_writable_bytes(std::span(centre)));
  if (digest({bytes_of(step), floats(centre)}) != place.contents) {
    throw damaged(path, "its scale does not fit its checksum");
  }
  return {std::move(centre), step};
}

FineSketcher read_fine_scale(const std::string& path, const RegularFile& file, const Layout& layout) {
  std::vector<float> centre(static_cast<std::size_t>(layout.numbers())), step(centre.size());
  const Section& place = layout.find(path, kFineScale, 2 * layout.numbers() * kFloat);
  const auto at = static_cast<int64_t>(place.offset);
  read_at(file.descriptor.get(), path, at, std::as_writable_bytes(std::span(centre)));
  read_at(file.descriptor.get(), path, at + layout.numbers() * kFloat,
          std::as_writable_bytes(std::span(step)));
  if (digest({floats(centre), floats(step)}) != place.contents) {
    throw damaged(path, "its fine scale does not fit its checksum");
  }
  return {std::move(centre), std::move(step)};
}

}  // namespace

std::string sketch_folder(const std::string& catalog) { return catalog + "/sketch"; }
std::string sketch_path(const std::string& catalog) { return sketch_folder(catalog) + "/sketches.bin"; }

SketchFileWriter::SketchFileWriter(const std::string& path, const SketchPlan* plan, int64_t dimension,
                                   int64_t rows, const std::string& fingerprint)
    : file_(path) {
  Header header;
  header.dimension = static_cast<uint64_t>(dimension);
  header.rows = static_cast<uint64_t>(rows);
  header.codes = codes_digest(fingerprint);
  std::vector<Section> sections;
  if (plan != nullptr) {
    const SketchProjection& projection = plan->sketcher.projection();
    const BlockShape shape{plan->sketcher.size(), plan->byte_sketcher.numbers()};
    const double step = plan->byte_sketcher.step();
    int64_t at = kHeaderBytes + 4 * kSectionBytes;
    const auto add = [&](const char* name, int64_t bytes, const Digest& contents) {
      sections.push_back(section(name, at, bytes, contents));
      at += bytes;
    };
    add(kProjection, dimension * shape.numbers * kFloat,
        digest({floats(projection.mean), floats(projection.directions)}));
    add(kScale, static_cast<int64_t>(sizeof step) + shape.bytes * kFloat,
        digest({bytes_of(step), floats(plan->byte_sketcher.centre())}));
    add(kFineScale, 2 * shape.numbers * kFloat,
        digest({floats(plan->fine_sketcher.centre()), floats(plan->fine_sketcher.step())}));
    add(kBlocks, shape.all_blocks(rows), {});
    header.numbers = static_cast<uint64_t>(shape.numbers);
    header.bytes = static_cast<uint64_t>(shape.bytes);
  }
  header.sections = static_cast<uint32_t>(sections.size());
  header.table = digest({std::as_bytes(std::span(sections))});
  header.header = header_digest(header);
  file_.write(bytes_of(header));
  file_.write(std::as_bytes(std::span(sections)));
  if (plan == nullptr) return;
  const double step = plan->byte_sketcher.step();
  file_.write(floats(plan->sketcher.projection().mean));
  file_.write(floats(plan->sketcher.projection().directions));
  file_.write(bytes_of(step));
  file_.write(floats(plan->byte_sketcher.centre()));
  file_.write(floats(plan->fine_sketcher.centre()));
  file_.write(floats(plan->fine_sketcher.step()));
}

void SketchFileWriter::add(const SketchBlockStorage& block) {
  BlockHead head;
  head.byte_error = block.byte_error;
  head.fine_error = block.fine_error;
  head.rows = static_cast<uint64_t>(block.rows);
  head.rest = block_digest(head, block.halves, block.bytes);
  file_.write(bytes_of(head));
  file_.write(std::as_bytes(std::span(block.halves)));
  file_.write(std::as_bytes(std::span(block.bytes)));
  const std::size_t numbers = block.fine.size() / static_cast<std::size_t>(block.rows);
  std::vector<std::byte> records;
  const auto append = [&](std::span<const std::byte> bytes) {
    records.insert(records.end(), bytes.begin(), bytes.end());
  };
  for (std::size_t first = 0; first < block.fine.size(); first += numbers) {
    const auto fine = std::span(block.fine).subspan(first, numbers);
    const uint64_t check = row_digest(fine);
    append(std::as_bytes(fine));
    append(bytes_of(check));
  }
  file_.write(records);
}

void SketchFileWriter::commit() { file_.commit(); }

SketchFile::SketchFile(const std::string& path) : path_(path), file_(open_regular(path)) {
  const Layout layout = read_layout(path, file_);
  dimension_ = static_cast<int64_t>(layout.header.dimension);
  rows_ = static_cast<int64_t>(layout.header.rows);
  fingerprint_ = hex(layout.header.codes);
  if (layout.numbers() == 0) return;
  first_block_ = static_cast<int64_t>(layout.find(path, kBlocks, layout.shape().all_blocks(rows_)).offset);
  try {
    plan_ = std::make_unique<SketchPlan>(SketchPlan{Sketcher(read_projection(path, file_, layout)),
                                                    read_scale(path, file_, layout),
                                                    read_fine_scale(path, file_, layout)});
  } catch (const std::invalid_argument& error) {
    throw damaged(path, error.what());
  }
}

int64_t SketchFile::blocks() const { return plan_ ? (rows_ + kSketchBlockRows - 1) / kSketchBlockRows : 0; }

namespace {
BlockShape shape_of(const SketchPlan& plan) { return {plan.sketcher.size(), plan.byte_sketcher.numbers()}; }
}  // namespace

int64_t SketchFile::block_bytes() const { return shape_of(*plan_).scanned(kSketchBlockRows); }

SketchBlock SketchFile::block(int64_t index, std::vector<uint8_t>& scratch) const {
  const BlockShape shape = shape_of(*plan_);
  const int64_t rows = std::min(kSketchBlockRows, rows_ - index * kSketchBlockRows);
  const int64_t start = first_block_ + index * shape.all(kSketchBlockRows);
  BlockHead head;
  read_at(file_.descriptor.get(), path_, start, std::as_writable_bytes(std::span(&head, 1)));
  scratch.resize(static_cast<std::size_t>(shape.scanned(rows)));
  read_at(file_.descriptor.get(), path_, start + kHeadBytes, std::as_writable_bytes(std::span(scratch)));
  SketchBlock block;
  block.rows = rows;
  // A vector's bytes are aligned for any number.
  block.halves = {reinterpret_cast<const int32_t*>(scratch.data()),
                  static_cast<std::size_t>(shape.halves(rows))};
  block.bytes = std::span(scratch).subspan(block.halves.size_bytes());
  block.byte_error = head.byte_error;
  block.fine_error = head.fine_error;
  if (head.rows != static_cast<uint64_t>(rows) ||
      head.rest != block_digest(head, block.halves, block.bytes)) {
    throw damaged(path_, fmt::format("block {} does not fit its checksum", index));
  }
  // A checksum proves transport, not sense: narrower bounds would lose rows, larger halves overflow.
  if (!(block.byte_error >= 0 && block.fine_error >= 0)) {
    throw damaged(path_, fmt::format("block {} has bounds that are none", index));
  }
  const auto in_range = [](int32_t half) { return half <= 0 && half >= cpu::kNoRow; };
  if (!std::all_of(block.halves.begin(), block.halves.end(), in_range)) {
    throw damaged(path_, fmt::format("block {} has lengths that are none", index));
  }
  return block;
}

void SketchFile::fine(int64_t row, std::span<int8_t> fine) const {
  const BlockShape shape = shape_of(*plan_);
  const int64_t block = row / kSketchBlockRows,
                rows = std::min(kSketchBlockRows, rows_ - block * kSketchBlockRows);
  const int64_t start = first_block_ + block * shape.all(kSketchBlockRows) + kHeadBytes +
                        shape.scanned(rows) + row % kSketchBlockRows * shape.record();
  uint64_t check = 0;
  read_at(file_.descriptor.get(), path_, start, std::as_writable_bytes(fine));
  read_at(file_.descriptor.get(), path_, start + static_cast<int64_t>(fine.size()),
          std::as_writable_bytes(std::span(&check, 1)));
  if (check != row_digest(fine)) {
    throw damaged(path_, fmt::format("the sketch of row {} does not fit its checksum", row));
  }
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
