#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/compact_file.h"
#include "host/files.h"
#include "host/fingerprint.h"
#include "host/ledger.h"
#include "host/npy.h"
#include "host/progress.h"
#include "host/safetensors.h"
#include "host/sketch_file.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

using Access = Database::Access;

constexpr int64_t kBlockRows = 1024;  // 12 MB

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", copy it again from where it was made or make it again");
}

std::string line(const char* kind, const std::string& path, const std::string& what) {
  return fmt::format("{:<9} {}  {}", kind, path, what);
}

std::string verify_model(const std::string& path) {
  const Model model = read_model(path);
  const bool checksum = read_tensor_file(path).metadata.contains("checksum");
  return line("model", path,
              fmt::format("{} parameters, {}", format_count(static_cast<int64_t>(model.parameters.size())),
                          checksum ? "checksum ok" : "no checksum: imported"));
}

std::string verify_training(const std::string& path) {
  const TrainingState state = read_training_state(path);
  return line("training", path,
              fmt::format("epoch {}, step {}, checksum ok", format_count(state.epoch),
                          format_count(state.optimizer.step)));
}

// Reads a shard's file: the rows of the ledger, all finite, and the bytes that were written.
void verify_codes(const std::string& path, const ShardRecord& record, int64_t dimension) {
  const NpyReader reader(path);
  if (reader.rows() != record.rows || reader.columns() != dimension) {
    throw damaged(path, fmt::format("it is ({}, {}), the ledger has ({}, {})", reader.rows(),
                                    reader.columns(), record.rows, dimension));
  }
  // The reader takes one header for one shape only, so this is the file's.
  const std::string header = npy_header(reader.rows(), reader.columns());
  Fingerprint hash;
  hash.add_raw(std::as_bytes(std::span(header)));
  std::vector<float> block;
  for (int64_t first = 0; first < record.rows; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, record.rows - first);
    block.resize(static_cast<std::size_t>(count * dimension));
    reader.read_rows(first, count, block);
    hash.add_raw(std::as_bytes(std::span(block)));
    const auto bad =
        std::find_if(block.begin(), block.end(), [](float value) { return !std::isfinite(value); });
    if (bad != block.end()) {
      throw damaged(path, fmt::format("row {} is not finite", first + (bad - block.begin()) / dimension));
    }
  }
  if (hash.hex() != record.codes_checksum) throw damaged(path, "its bytes do not fit the ledger's checksum");
}

// Every shard, item and refusal that the ledger has.
void verify_shards(const CatalogPaths& paths, const Ledger& ledger, int64_t dimension) {
  for (const ShardRecord& record : ledger.shards()) {
    const std::string shard = fmt::format("shard {}", record.shard);
    const std::vector<CatalogItem> items = ledger.items(record.shard);
    const std::vector<Refusal> refusals = ledger.refusals(record.shard);
    if (static_cast<int64_t>(items.size()) != record.rows ||
        static_cast<int64_t>(refusals.size()) != record.refused) {
      throw damaged(paths.ledger(), fmt::format("{} has {} items and {} refusals for {} and {}", shard,
                                                items.size(), refusals.size(), record.rows, record.refused));
    }
    if (Ledger::shard_checksum(items, refusals) != record.items_checksum) {
      throw damaged(paths.ledger(), "the items of " + shard + " do not fit their checksum");
    }
    if (record.rows > 0) verify_codes(paths.shard(record.shard), record, dimension);
  }
}

// A picture for every row. An imported catalog has none.
void verify_thumbnails(const CatalogPaths& paths, const Ledger& ledger) {
  if (!exists(paths.thumbnails())) throw damaged(paths.thumbnails(), "it is missing");
  const ThumbnailStore thumbnails(paths.thumbnails(), Access::kRead);
  thumbnails.database().check_integrity();
  for (const ShardRecord& record : ledger.shards()) {
    const std::string shard = fmt::format("shard {}", record.shard);
    if (const int64_t pictures = thumbnails.rows(record.shard); pictures != record.rows) {
      throw damaged(paths.thumbnails(),
                    fmt::format("{} has {} pictures for {} rows", shard, pictures, record.rows));
    }
    if (thumbnails.shard_checksum(record.shard) != record.thumbnails_checksum) {
      throw damaged(paths.thumbnails(), "the pictures of " + shard + " do not fit their checksum");
    }
  }
}

void verify_ids(const Ledger& ledger) {
  Statement both(ledger.database(), "SELECT id FROM items INTERSECT SELECT id FROM refusals LIMIT 1");
  if (both.step()) throw damaged(ledger.database().path(), "it has " + both.text(0) + " encoded and refused");
}

// Other programs read every array in the folder: a complete catalog has none but its own there.
void verify_no_more_codes(const CatalogPaths& paths, const Ledger& ledger) {
  std::set<std::string> known;
  for (const ShardRecord& record : ledger.shards()) {
    if (record.rows > 0) known.insert(shard_name(record.shard));
  }
  for (const std::string& name : names_in(paths.codes())) {
    if (name.ends_with(".npy") && !known.contains(name)) {
      throw damaged(paths.codes() + "/" + name, "the ledger does not know it");
    }
  }
}

// Codes that changed since are no damage: searches refuse what is stale.
std::string verify_compact(const std::string& folder, const CompactFile& compact, const std::string& source) {
  compact.verify();
  return line("compact", compact_folder(folder),
              fmt::format("{} rows of {} numbers, {}", format_count(compact.rows()), compact.components(),
                          compact.source() == source
                              ? "checksums ok"
                              : "stale: of other codes, make them again with lookalike compact"));
}

// Nothing where there are none. Sketches of other codes are not used, so they are no damage.
std::vector<std::string> verify_sketches(const CatalogReader& catalog) {
  const std::string path = sketch_path(catalog.folder());
  if (!exists(path)) return {};
  const SketchFile file(path);
  if (file.plan() != nullptr) {
    std::vector<uint8_t> scratch;
    for (int64_t block = 0; block < file.blocks(); ++block) file.block(block, scratch);
    std::vector<int8_t> fine(static_cast<std::size_t>(file.plan()->sketcher.size()));
    for (int64_t row = 0; row < file.rows(); ++row) file.fine(row, fine);
  }
  std::string why;
  if (!open_sketches(catalog, &why))
    return {line("sketch", path, "of other codes, not used; index makes it anew")};
  if (file.plan() == nullptr) return {line("sketch", path, "none pays for these codes, checksum ok")};
  return {line("sketch", path,
               fmt::format("{} rows of {} numbers, checksums ok", format_count(file.rows()),
                           file.plan()->sketcher.size()))};
}

std::vector<std::string> verify_catalog(const CatalogPaths& paths) {
  // Opening checks settings, the model and the size of every shard.
  const CatalogReader reader(paths.folder);
  const Ledger ledger(paths.ledger(), Access::kRead);
  ledger.database().check_integrity();
  verify_shards(paths, ledger, reader.plain_dimension());
  if (reader.has_model()) verify_thumbnails(paths, ledger);
  verify_ids(ledger);
  const CatalogTotals totals = ledger.totals();
  const int64_t told = totals.encoded + totals.refused;
  if (reader.complete() ? told != totals.listed || totals.shards_done != totals.shards
                        : told > totals.listed) {
    throw damaged(paths.ledger(), fmt::format("{} listed are not {} encoded + {} refused", totals.listed,
                                              totals.encoded, totals.refused));
  }
  if (reader.complete()) verify_no_more_codes(paths, ledger);

  const std::string progress =
      reader.complete() ? "complete"
                        : fmt::format("{} of {} shards so far, repeat what made it to go on",
                                      format_count(totals.shards_done), format_count(totals.shards));
  std::vector<std::string> lines;
  if (reader.has_model()) lines.push_back(verify_model(paths.model()));
  lines.push_back(line("ledger", paths.ledger(),
                       fmt::format("{} listed: {} encoded, {} refused; {}", format_count(totals.listed),
                                   format_count(totals.encoded), format_count(totals.refused), progress)));
  lines.push_back(line("codes", paths.codes(),
                       fmt::format("{} rows, all finite, checksums ok", format_count(totals.encoded))));
  if (reader.has_model()) {
    lines.push_back(line("thumbs", paths.thumbnails(),
                         fmt::format("{} pictures, checksums ok", format_count(totals.encoded))));
  }
  if (const auto compact = CompactFile::open(paths.folder)) {
    lines.push_back(verify_compact(paths.folder, *compact, reader.codes_fingerprint()));
  }
  for (std::string& sketches : verify_sketches(reader)) lines.push_back(std::move(sketches));
  return lines;
}

}  // namespace

std::vector<std::string> verify_artefact(const std::string& path) {
  if (!is_folder(path)) {
    if (!exists(path)) throw usage_error("there is nothing at " + path + ", name a model or a catalog");
    const auto metadata = read_tensor_file(path).metadata;
    const auto format = metadata.find("format");
    const bool training = format != metadata.end() && format->second == "lookalike-training";
    return {training ? verify_training(path) : verify_model(path)};
  }
  const CatalogPaths paths{path};
  if (exists(paths.ledger())) return verify_catalog(paths);
  if (exists(paths.codes())) throw damaged(paths.ledger(), "it is missing");
  if (!exists(paths.model())) throw usage_error(path + " is neither a model nor a catalog, name one");
  std::vector<std::string> lines = {verify_model(paths.model())};
  const std::string training = path + "/training.safetensors";
  if (exists(training)) lines.push_back(verify_training(training));
  return lines;
}

}  // namespace lookalike
