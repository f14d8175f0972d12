#include "host/compact_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/files.h"
#include "host/fingerprint.h"
#include "host/safetensors.h"
#include "host/shell_word.h"

namespace lookalike {
namespace {

constexpr const char* kFormat = "lookalike-compact";
constexpr const char* kVersion = "1";
constexpr std::string_view kBefore = "codes_";
constexpr std::string_view kAfter = ".npy";
constexpr std::size_t kDigits = 16;

std::string projection_path(const std::string& catalog) {
  return compact_folder(catalog) + "/projection.safetensors";
}

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(fmt::format("{}: {}, make it again with lookalike compact -c {}", path, what,
                                   shell_path(folder_of(folder_of(path)))));
}

std::unique_ptr<NpyReader> open_codes(const std::string& path) try {
  return std::make_unique<NpyReader>(path);
} catch (const Error& error) {
  if (error.code() != ExitCode::kDamaged) throw;
  throw damaged(path, "it is damaged or no matrix of codes");
}

bool is_codes_name(std::string_view name) {
  return name.size() == kBefore.size() + kDigits + kAfter.size() && name.starts_with(kBefore) &&
         name.ends_with(kAfter) &&
         name.find_first_not_of("0123456789abcdef", kBefore.size()) == kBefore.size() + kDigits;
}

TensorFile tensors_of(const CompactProjection& projection) {
  const int64_t d = projection.dimension, m = projection.components();
  TensorFile file;
  file.tensors["directions"] = {{m, d}, projection.directions};
  file.tensors["deviations"] = {{m}, projection.deviations};
  Tensor high{{d}, {}}, low{{d}, {}};
  for (const double value : projection.mean) {
    const TwoFloats parts(value);
    high.values.push_back(parts.high);
    low.values.push_back(parts.low);
  }
  file.tensors["mean"] = std::move(high);
  file.tensors["mean_low"] = std::move(low);
  return file;
}

CompactProjection projection_of(const std::string& path, const TensorFile& file) {
  const auto tensor = [&](const char* name, std::size_t rank) -> const Tensor& {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.shape.size() != rank) {
      throw damaged(path, fmt::format("it has no tensor {} of {} dimensions", name, rank));
    }
    return found->second;
  };
  const Tensor& directions = tensor("directions", 2);
  const int64_t m = directions.shape[0], d = directions.shape[1];
  const std::vector<int64_t> of_code = {d}, of_compact = {m};
  if (tensor("mean", 1).shape != of_code || tensor("mean_low", 1).shape != of_code ||
      tensor("deviations", 1).shape != of_compact || file.tensors.size() != 4) {
    throw damaged(path, "its tensors do not belong together");
  }
  CompactProjection projection;
  projection.dimension = d;
  projection.directions = directions.values;
  projection.deviations = tensor("deviations", 1).values;
  for (std::size_t i = 0; i < static_cast<std::size_t>(d); ++i) {
    projection.mean.push_back(TwoFloats(tensor("mean", 1).values[i], tensor("mean_low", 1).values[i]).sum());
  }
  return projection;
}

TensorFile read_projection(const std::string& path) try {
  return read_tensor_file(path);
} catch (const Error& error) {
  if (error.code() != ExitCode::kDamaged) throw;
  throw damaged(path, "it is damaged or no projection");
}

std::string codes_path(const std::string& catalog, const TensorFile& projection) {
  const auto name = projection.metadata.find("codes");
  return compact_folder(catalog) + "/" + (name == projection.metadata.end() ? "" : name->second);
}

std::string codes_name(const CompactProjection& projection, const std::string& source) {
  Fingerprint hash;
  hash.add(source);
  hash.add_raw(std::as_bytes(std::span(projection.mean)));
  hash.add_raw(std::as_bytes(std::span(projection.directions)));
  hash.add_raw(std::as_bytes(std::span(projection.deviations)));
  return fmt::format("{}{}{}", kBefore, hash.hex().substr(0, kDigits), kAfter);
}

// The file's checksum.
std::string publish_codes(const std::string& path, const CodeSource& codes, const Compactor& compactor,
                          ThreadPool& pool) {
  const int64_t m = compactor.projection().components(), d = compactor.projection().dimension;
  NpyWriter file(path, m);
  std::vector<float> out;
  codes.for_each_block([&](int64_t, std::span<const float> block) {
    out.resize(static_cast<std::size_t>(std::ssize(block) / d * m));
    compactor.compact(block, pool, out);
    file.append(out);
  });
  return file.commit();
}

}  // namespace

std::string compact_folder(const std::string& catalog) { return catalog + "/compact"; }

std::optional<CompactFile> CompactFile::open(const std::string& catalog) {
  const std::string path = projection_path(catalog);
  if (!exists(path)) return {};
  TensorFile file = read_projection(path);
  // A build that ended in between has taken away the codes that the file named then.
  if (!exists(codes_path(catalog, file))) file = read_projection(path);
  const auto text = [&](const char* key) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) throw damaged(path, fmt::format("it lacks the metadata {}", key));
    return found->second;
  };
  if (text("format") != kFormat) throw damaged(path, "it is no projection of a lookalike catalog");
  if (text("version") != kVersion) {
    throw damaged_error(
        fmt::format("{} was made by another version of lookalike (format {}, this one reads "
                    "{}), make it again with lookalike compact",
                    path, text("version"), kVersion));
  }
  text("checksum");
  const std::string name = text("codes");
  if (!is_codes_name(name)) throw damaged(path, "it names no file of codes");
  CompactProjection projection = projection_of(path, file);
  if (projection.components() < 1 || projection.components() > projection.dimension ||
      std::ranges::any_of(projection.deviations, [](float value) { return value < 0; })) {
    throw damaged(path, "its numbers are those of no projection");
  }
  const std::string codes = compact_folder(catalog) + "/" + name;
  if (!exists(codes)) throw damaged(codes, "it is missing");
  CompactFile compact(codes, text("source"), text("codes_checksum"), std::move(projection));
  if (std::to_string(compact.rows()) != text("rows") || compact.codes_->columns() != compact.components()) {
    throw damaged(codes, "it has not the shape that its projection says");
  }
  return compact;
}

CompactFile::CompactFile(std::string path, std::string source, std::string checksum,
                         CompactProjection projection)
    : path_(std::move(path)),
      source_(std::move(source)),
      checksum_(std::move(checksum)),
      compactor_(std::move(projection)),
      codes_(open_codes(path_)) {}

void CompactFile::read_rows(int64_t first, int64_t count, std::span<float> out) const {
  codes_->read_rows(first, count, out);
  const auto bad = std::ranges::find_if(out, [](float value) { return !std::isfinite(value); });
  if (bad == out.end()) return;
  throw damaged(path_, fmt::format("row {} is not finite", first + (bad - out.begin()) / components()));
}

void CompactFile::verify() const {
  constexpr int64_t kBlockRows = 4096;
  const std::string header = npy_header(rows(), components());
  Fingerprint hash;
  hash.add_raw(std::as_bytes(std::span(header)));
  std::vector<float> block;
  for (int64_t first = 0; first < rows(); first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, rows() - first);
    block.resize(static_cast<std::size_t>(count * components()));
    read_rows(first, count, block);
    hash.add_raw(std::as_bytes(std::span(block)));
  }
  if (hash.hex() != checksum_) throw damaged(path_, "its bytes do not fit the projection's checksum");
}

void build_compact(const std::string& catalog, const CodeSource& codes, int64_t dimension, int64_t components,
                   const std::string& source, ThreadPool& pool, const std::function<void()>& step) {
  const std::string folder = compact_folder(catalog);
  make_folders(folder);
  sweep_temporaries(folder);
  const Compactor compactor(fit_compact(codes, dimension, components, pool, step));
  const std::string name = codes_name(compactor.projection(), source);

  TensorFile file = tensors_of(compactor.projection());
  file.metadata = {{"format", kFormat},
                   {"version", kVersion},
                   {"source", source},
                   {"codes", name},
                   {"rows", std::to_string(codes.rows)},
                   {"codes_checksum", publish_codes(folder + "/" + name, codes, compactor, pool)}};
  write_tensor_file(projection_path(catalog), file);
  for (const std::string& other : names_in(folder)) {
    if (is_codes_name(other) && other != name) remove_file(path_below(folder, other));
  }
}

void remove_compact(const std::string& catalog) {
  remove_file(projection_path(catalog));
  for (const std::string& name : names_in(compact_folder(catalog))) {
    if (is_codes_name(name)) remove_file(path_below(compact_folder(catalog), name));
  }
}

}  // namespace lookalike
