// Which photos: a folder, a list file, a CSV, or standard input, as one ordered list.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
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
  Labels labels = Labels::kParent;
  std::vector<PhotoItem> items;
  // XXH3-128, 32 hexadecimal digits, over ids, paths, labels and columns in order: another list has another
  // value.
  std::string fingerprint;
};

// PhotoList's fingerprint, item by item.
class ListFingerprint {
 public:
  void add(const PhotoItem& item);
  std::string hex() const { return fingerprint_.hex(); }

 private:
  Fingerprint fingerprint_;
};

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
