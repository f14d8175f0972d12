// A list of photos in a private file, so that memory stays the same however long the list is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/dataset.h"

namespace lookalike {

// Two items of one id, by the lines of the list that they stand in.
struct EqualIds {
  std::string id;
  int64_t first_line = 0, second_line = 0;
};

// The file is SQLite's temporary one (in SQLITE_TMPDIR, TMPDIR or /var/tmp) and gone with the object. Used by
// one thread at a time. Throws E_SYSTEM where that file cannot be written.
class PhotoTable {
 public:
  explicit PhotoTable(const std::string& source);
  explicit PhotoTable(const PhotoList& photos);
  ~PhotoTable();
  PhotoTable(PhotoTable&&) noexcept;
  PhotoTable& operator=(PhotoTable&&) = delete;

  void add(const PhotoItem& item, int64_t line);
  // By id in byte order; else the order is that of add().
  void sort();
  // Nothing is added any more: keeps no more pages in memory than reading along takes.
  void finish();
  // The first item whose id an earlier one has.
  std::optional<EqualIds> equal_ids() const;

  int64_t size() const;
  // At most `count` items from place `first` on.
  std::vector<PhotoItem> items(int64_t first, int64_t count) const;
  PhotoList list() const;  // all of it, in memory

  const std::string& source() const;
  ListIdentity identity() const;

  std::string root;  // as PhotoList has it
  Labels labels = Labels::kParent;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lookalike
