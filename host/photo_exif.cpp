#include <algorithm>
#include <array>
#include <string_view>

#include "host/photo_decode.h"

namespace lookalike {
namespace {

constexpr int64_t kEntryBytes = 12;
constexpr uint32_t kOrientation = 274;

int64_t element_bytes(uint32_t type) { return type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0; }

// Of every type that TIFF has; 0 for others.
int64_t any_element_bytes(uint32_t type) {
  constexpr std::array<int64_t, 14> kBytes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
  return type < kBytes.size() ? kBytes[type] : 0;
}

std::endian byte_order(Bytes bytes) {
  const ByteView view(bytes, std::endian::big);
  const uint32_t mark = view.u16(0);
  if (mark != 0x4949 && mark != 0x4D4D) throw RefusedPhoto("damaged TIFF: no byte order mark");
  return mark == 0x4949 ? std::endian::little : std::endian::big;
}

}  // namespace

Bytes ByteView::slice(int64_t at, int64_t length) const {
  if (at < 0 || length < 0 || at > size() || length > size() - at) {
    throw RefusedPhoto("damaged: the file ends too early");
  }
  return bytes_.subspan(static_cast<size_t>(at), static_cast<size_t>(length));
}

uint32_t ByteView::number(int64_t at, int64_t length) const {
  const Bytes digits = slice(at, length);
  uint32_t value = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t from_top = order_ == std::endian::big ? i : digits.size() - 1 - i;
    value = value << 8 | digits[from_top];
  }
  return value;
}

TiffDirectory::TiffDirectory(Bytes bytes) : bytes_(bytes), order_(byte_order(bytes)) {
  if (view().u16(2) != 42) throw RefusedPhoto("damaged TIFF: no TIFF mark");
  const int64_t start = view().u32(4);
  entries_ = view().u16(start);
  first_entry_ = start + 2;
  view().slice(first_entry_, entries_ * kEntryBytes);
}

std::optional<int64_t> TiffDirectory::entry_offset(uint32_t tag) const {
  for (int64_t i = 0; i < entries_; ++i) {
    const int64_t entry = first_entry_ + i * kEntryBytes;
    if (view().u16(entry) == tag) return entry;
  }
  return std::nullopt;
}

void TiffDirectory::check_entries() const {
  view().u32(first_entry_ + entries_ * kEntryBytes);  // where the next directory lies
  for (int64_t i = 0; i < entries_; ++i) {
    const int64_t entry = first_entry_ + i * kEntryBytes;
    const int64_t bytes = any_element_bytes(view().u16(entry + 2)) * view().u32(entry + 4);
    if (bytes > 4) view().slice(view().u32(entry + 8), bytes);
  }
}

std::vector<uint32_t> TiffDirectory::values(uint32_t tag) const {
  const auto entry = entry_offset(tag);
  if (!entry) return {};
  const uint32_t type = view().u16(*entry + 2);
  const int64_t count = view().u32(*entry + 4), bytes = element_bytes(type);
  if (bytes == 0) return {};
  const int64_t at = count * bytes <= 4 ? *entry + 8 : int64_t{view().u32(*entry + 8)};
  view().slice(at, count * bytes);  // before anything is allocated for them
  std::vector<uint32_t> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t place = at + static_cast<int64_t>(i) * bytes;
    values[i] = bytes == 1 ? view().u8(place) : bytes == 2 ? view().u16(place) : view().u32(place);
  }
  return values;
}

uint32_t TiffDirectory::value(uint32_t tag, uint32_t otherwise) const {
  if (!entry_offset(tag)) return otherwise;
  const auto found = values(tag);
  if (found.size() != 1) throw RefusedPhoto("damaged TIFF: a tag has the wrong type or count");
  return found.front();
}

int exif_orientation(Bytes block) {
  constexpr std::string_view kMark("Exif\0\0", 6);
  if (block.size() >= kMark.size() && std::equal(kMark.begin(), kMark.end(), block.begin())) {
    block = block.subspan(kMark.size());
  }
  try {
    const uint32_t orientation = TiffDirectory(block).value(kOrientation, 1);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  } catch (const RefusedPhoto&) {
    return 1;  // the pixels are whole; only their turn is not told
  }
}

}  // namespace lookalike
