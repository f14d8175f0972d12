#include "host/dataset.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "engine/error.h"
#include "host/csv.h"
#include "host/files.h"
#include "host/photo_table.h"
#include "host/text_lines.h"

namespace lookalike {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string extension(const std::string& name) {
  const size_t dot = name.find_last_of("./");
  return dot == std::string::npos || name[dot] == '/' ? "" : lower(name.substr(dot + 1));
}

bool is_photo_name(const std::string& name) {
  constexpr std::array<std::string_view, 8> kExtensions = {"jpg", "jpeg", "png",  "webp",
                                                           "bmp", "tif",  "tiff", "gif"};
  return std::ranges::find(kExtensions, extension(name)) != kExtensions.end();
}

bool is_name(const fs::path& part) {
  return !part.empty() && part != "." && part != ".." && !part.has_root_directory();
}

// Empty for a bare name.
std::string label_of(const std::string& path, Labels labels) {
  const fs::path folder = fs::path(path).parent_path();
  if (labels == Labels::kParent) return is_name(folder.filename()) ? folder.filename().native() : "";
  if (labels == Labels::kTop) {
    const auto first = std::ranges::find_if(folder, is_name);
    return first == folder.end() ? "" : first->native();
  }
  return "";
}

std::string without_last_slashes(std::string folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder;
}

void walk_folder(PhotoTable& photos) {
  const std::string& root = photos.root = without_last_slashes(photos.source());
  const size_t prefix = root.ends_with('/') ? root.size() : root.size() + 1;
  std::string last = root;  // the folder to be searched next, where that fails
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
      last = entry.path().native();
      if (!is_photo_name(entry.path().native()))
        continue;  // what is no file is refused later, with its reason
      const std::string id = entry.path().native().substr(prefix);
      photos.add({id, entry.path().native(), label_of(id, photos.labels), {}}, 0);
    }
  } catch (const fs::filesystem_error& error) {
    throw usage_error(fmt::format("cannot search {}: {}; make it readable or give a list of photos", last,
                                  error.code().message()));
  }
  photos.sort();
}

FileDescriptor open_listing(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait where no signal is seen.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    throw usage_error(fmt::format("cannot read {}: {}; give a folder, a list of paths, a .csv or -", path,
                                  std::strerror(errno)));
  }
  return file;
}

// A list being read.
struct Listing {
  std::string name;  // for messages
  PhotoTable& photos;
};

void read_lines(TextLines& lines, const Listing& listing) {
  std::string path;
  for (int64_t line = 1; lines.next(path); ++line) {
    if (path.ends_with('\n')) path.pop_back();
    if (path.ends_with('\r')) path.pop_back();
    if (path.empty()) continue;
    listing.photos.add(
        {path, path_below(listing.photos.root, path), label_of(path, listing.photos.labels), {}}, line);
  }
}

struct CsvColumns {
  std::vector<std::string> names;
  size_t path = 0;
  std::optional<size_t> id, label;
};

CsvColumns read_header(std::vector<std::string> names, const Listing& listing) {
  CsvColumns columns;
  std::optional<size_t> path;
  for (size_t c = 0; c < names.size(); ++c) {
    const auto before = names.begin() + static_cast<std::ptrdiff_t>(c);
    if (!names[c].empty() && std::find(names.begin(), before, names[c]) != before) {
      throw usage_error(fmt::format("{} has two columns \"{}\"; rename one", listing.name, names[c]));
    }
    if (names[c] == "path") path = c;
    if (names[c] == "id") columns.id = c;
    if (names[c] == "label") columns.label = c;
  }
  if (!path) {
    throw usage_error(fmt::format(
        "{} has no column \"path\"; its first line must name the columns, commas between", listing.name));
  }
  columns.path = *path;
  columns.names = std::move(names);
  return columns;
}

// asked: that the column `label` is not to be used.
void read_csv(TextLines& lines, bool asked, const Listing& listing) {
  const auto fail = [&listing](int64_t line, const std::string& what) {
    return usage_error(fmt::format("{}, line {}: {}; correct the line", listing.name, line, what));
  };
  PhotoTable& photos = listing.photos;
  CsvReader reader([&lines](std::string& line) { return lines.next(line); });
  std::vector<std::string> fields;
  try {
    if (!reader.next(fields)) return;
    const CsvColumns columns = read_header(std::move(fields), listing);
    if (columns.label && !asked) photos.labels = Labels::kColumn;
    while (reader.next(fields)) {
      if (fields.size() != columns.names.size()) {
        throw fail(reader.line(),
                   fmt::format("{} fields under {} columns", fields.size(), columns.names.size()));
      }
      const std::string& path = fields[columns.path];
      if (path.empty()) throw fail(reader.line(), "the path is empty");
      if (columns.id && fields[*columns.id].empty()) throw fail(reader.line(), "the id is empty");
      PhotoItem item{
          columns.id ? fields[*columns.id] : path,
          path_below(listing.photos.root, path),
          photos.labels == Labels::kColumn ? fields[*columns.label] : label_of(path, photos.labels),
          {}};
      for (size_t c = 0; c < fields.size(); ++c) {
        const bool own = c == columns.path || c == columns.id || c == columns.label;
        if (!own && !columns.names[c].empty()) item.columns.emplace(columns.names[c], std::move(fields[c]));
      }
      photos.add(item, reader.line());
    }
  } catch (const CsvError& error) {
    throw fail(error.line(), error.what());
  }
}

void read_listing(bool column_unused, PhotoTable& photos) {
  const std::string& source = photos.source();
  if (source == "-") {
    TextLines lines(STDIN_FILENO, "standard input");
    read_lines(lines, {"standard input", photos});
  } else {
    const FileDescriptor file = open_listing(source);
    TextLines lines(file.get(), source);
    photos.root = fs::path(source).parent_path().native();
    const Listing listing{source, photos};
    if (extension(source) == "csv") {
      read_csv(lines, column_unused, listing);
    } else {
      read_lines(lines, listing);
    }
  }
  if (const std::optional<EqualIds> equal = photos.equal_ids()) {
    throw usage_error(fmt::format("{}, lines {} and {}: two photos have the id {}; ids must differ",
                                  source == "-" ? "standard input" : source, equal->first_line,
                                  equal->second_line, equal->id));
  }
}

}  // namespace

std::string to_string(Labels labels) {
  switch (labels) {
    case Labels::kParent:
      return "parent";
    case Labels::kTop:
      return "top";
    case Labels::kNone:
      return "none";
    case Labels::kColumn:
      return "column";
  }
  throw std::logic_error("Labels without a name");
}

Labels parse_labels(const std::string& text) {
  for (const Labels labels : {Labels::kParent, Labels::kTop, Labels::kNone}) {
    if (text == to_string(labels)) return labels;
  }
  throw usage_error(fmt::format("--label is '{}', take parent, top or none", text));
}

std::string listed_path(const std::string& root, const std::string& path) {
  const std::string start = path_below(root, "");
  return !root.empty() && path.starts_with(start) ? path.substr(start.size()) : path;
}

std::string absolute_root(const std::string& root) {
  if (root.empty()) return fs::current_path().native();
  return without_last_slashes(fs::absolute(root).lexically_normal().native());
}

void ListFingerprint::add(const PhotoItem& item) {
  ++count_;
  photos_.add(item.id);
  photos_.add(listed_path(root_, item.path));
  columns_.add(item.label);
  columns_.add(static_cast<uint64_t>(item.columns.size()));
  for (const auto& [name, value] : item.columns) {
    columns_.add(name);
    columns_.add(value);
  }
}

ListIdentity ListFingerprint::identity() const {
  return {fmt::format("{} photos, {}", count_, photos_.hex()), columns_.hex()};
}

ListIdentity list_identity(const PhotoList& photos) {
  ListFingerprint fingerprint(photos.root);
  for (const PhotoItem& item : photos.items) fingerprint.add(item);
  return fingerprint.identity();
}

PhotoTable tabulate_photos(const std::string& source, std::optional<Labels> labels) {
  std::error_code unreadable;
  const bool folder = source != "-" && fs::is_directory(source, unreadable);
  PhotoTable photos(source);
  photos.labels = labels.value_or(Labels::kParent);
  if (folder) {
    walk_folder(photos);
  } else {
    read_listing(labels.has_value(), photos);
  }
  if (photos.size() == 0) {
    throw no_input_error(
        folder ? fmt::format("no photo in {}; it takes names ending in .jpg, .jpeg, .png, .webp, .bmp, .tif, "
                             ".tiff or .gif",
                             source)
               : fmt::format("{} lists no photo", source == "-" ? "standard input" : source));
  }
  photos.finish();
  return photos;
}

PhotoList list_photos(const std::string& source, std::optional<Labels> labels) {
  return tabulate_photos(source, labels).list();
}

Split split_photos(const PhotoList& photos, double share, uint64_t seed) {
  if (!(share >= 0 && share <= 1)) {
    throw usage_error(fmt::format("a validation share of {} cannot be; give one from 0 to below 1", share));
  }
  const auto count = static_cast<int64_t>(photos.items.size());
  int64_t chosen = std::llround(share * static_cast<double>(count));
  if (share > 0) chosen = std::clamp<int64_t>(chosen, count > 1 ? 1 : 0, std::max<int64_t>(count - 1, 0));

  std::vector<std::pair<uint64_t, size_t>> order;  // (hash of the id, index)
  order.reserve(photos.items.size());
  for (size_t i = 0; i < photos.items.size(); ++i) {
    const std::string& id = photos.items[i].id;
    order.emplace_back(XXH3_64bits_withSeed(id.data(), id.size(), seed), i);
  }
  const auto smaller = [&photos](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : photos.items[a.second].id < photos.items[b.second].id;
  };
  std::nth_element(order.begin(), order.begin() + chosen, order.end(), smaller);
  std::vector<bool> validation(photos.items.size(), false);
  for (int64_t i = 0; i < chosen; ++i) validation[order[static_cast<size_t>(i)].second] = true;

  const PhotoList none{.source = photos.source, .root = photos.root, .labels = photos.labels, .items = {}};
  Split split{none, none};
  for (size_t i = 0; i < photos.items.size(); ++i) {
    (validation[i] ? split.validation : split.training).items.push_back(photos.items[i]);
  }
  return split;
}

}  // namespace lookalike
