// Which photos: a folder, a list file, a CSV, or standard input, as one ordered list.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lookalike {

struct PhotoItem {
  std::string id;     // path below the root, or the CSV's id; unique
  std::string path;   // as the file system takes it: absolute or relative to the working directory
  std::string label;  // parent folder's name, or the CSV's label; may be empty
  std::map<std::string, std::string> columns;  // other columns of the CSV
};

struct PhotoList {
  std::string source;  // as given
  std::vector<PhotoItem> items;
  // XXH3-128, 32 hexadecimal digits, over ids, paths, labels and columns in order: another list has another
  // value.
  std::string fingerprint;
};

// source: a folder (searched through, links to folders not followed, items sorted by id in byte order), a
// list file (one path a line; blank lines and a final CR dropped), "-" (such a list on standard input), or a
// .csv with a header naming `path` and optionally `id`, `label` and others. Relative paths of a list or CSV
// are below its folder; those of standard input below the working directory. Throws E_USAGE for a source that
// cannot be read or two equal ids (naming both lines), E_NO_INPUT when it lists no photo.
PhotoList list_photos(const std::string& source);

// Splits off a share of the list, chosen by `seed` and the ids alone; both parts keep their order. At least
// one item stays in each part where share > 0 and there are two.
struct Split {
  PhotoList training, validation;
};
Split split_photos(const PhotoList& photos, double share, uint64_t seed);

}  // namespace lookalike
