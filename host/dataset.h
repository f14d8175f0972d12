// Which photos: a folder, a list file, a CSV, or standard input, as one ordered list.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/fingerprint.h"

namespace lookalike {

// Where a photo's label comes from.
enum class Labels {
  kParent,  // the folder that holds it: "red" of shirts/red/1.jpg
  kTop,     // the first folder of its path: "shirts"
  kNone,
  kColumn,  // the CSV's column `label`
};
std::string to_string(Labels labels);          // "parent", "top", "none", "column"
Labels parse_labels(const std::string& text);  // throws E_USAGE; "column" cannot be asked for

struct PhotoItem {
  std::string id;     // path below the root, or the CSV's id; unique
  std::string path;   // as the file system takes it: absolute or relative to the working directory
  std::string label;  // may be empty
  std::map<std::string, std::string> columns;  // other columns of the CSV
};

struct PhotoList {
  std::string source;  // as given
  std::string root;    // folder that relative paths are below, as given; empty: the working directory
  Labels labels = Labels::kParent;
  std::vector<PhotoItem> items;
};

// `path` below the root where it lies there; `path` itself elsewhere.
std::string listed_path(const std::string& root, const std::string& path);
// The root, absolute and without "." and "..".
std::string absolute_root(const std::string& root);

// What tells lists apart. The root may move: whether the photos there are the same, their contents say.
struct ListIdentity {
  std::string photos;   // "63 photos, " and XXH3-128 over ids and listed paths in order
  std::string columns;  // XXH3-128 over labels and other columns in order
};

// Of a list, item by item.
class ListFingerprint {
 public:
  explicit ListFingerprint(std::string root) : root_(std::move(root)) {}
  void add(const PhotoItem& item);
  ListIdentity identity() const;

 private:
  std::string root_;
  int64_t count_ = 0;
  Fingerprint photos_, columns_;
};
ListIdentity list_identity(const PhotoList& photos);

class PhotoTable;

// source: a folder (searched through, links to folders not followed, items sorted by id in byte order), a
// list file (one path a line; blank lines and a final CR dropped), "-" (such a list on standard input), or a
// .csv with a header naming `path` and optionally `id`, `label` and others. Relative paths of a list or CSV
// are below its folder; those of standard input below the working directory. Without `labels` they come from
// the CSV's column where there is one, else from the parent. Throws E_USAGE for a source that cannot be read
// or two equal ids (naming both lines), E_NO_INPUT when it lists no photo.
PhotoTable tabulate_photos(const std::string& source, std::optional<Labels> labels = {});
// The same in memory.
PhotoList list_photos(const std::string& source, std::optional<Labels> labels = {});

// Splits off a share of the list, chosen by `seed` and the ids alone; both parts keep their order. At least
// one item stays in each part where share > 0 and there are two.
struct Split {
  PhotoList training, validation;
};
Split split_photos(const PhotoList& photos, double share, uint64_t seed);

}  // namespace lookalike
