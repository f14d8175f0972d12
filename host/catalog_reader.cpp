#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/catalog.h"
#include "host/compact_file.h"
#include "host/files.h"
#include "host/fingerprint.h"
#include "host/ledger.h"
#include "host/npy.h"
#include "host/shell_word.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

using Access = Database::Access;

}  // namespace

struct CatalogReader::State {
  CatalogPaths paths;
  std::optional<Ledger> ledger;
  std::optional<ThumbnailStore> thumbnails;  // made when first asked for
  Settings settings;
  std::optional<Model> model;       // none where the codes were imported
  int64_t dimension = kCodeLength;  // of the plain codes
  std::vector<ShardRecord> shards;  // those with rows, ascending
  std::vector<int64_t> first_rows;  // of each of them
  CatalogTotals totals;
  std::optional<CompactFile> compact;  // where these are read

  // The shard read last: a catalog may have more shards than a process may have open files.
  std::optional<std::size_t> open_shard;
  std::optional<NpyReader> open_codes;

  // Whole rows from `first` of a shard. A number that is not finite would drop its row from every result.
  void read(std::size_t index, int64_t first, std::span<float> out) {
    codes(index).read_rows(first, std::ssize(out) / dimension, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (std::isfinite(out[i])) continue;
      throw damaged_catalog(
          paths.shard(shards[index].shard),
          fmt::format("row {} has a number that is not finite", first + static_cast<int64_t>(i) / dimension));
    }
  }

  const NpyReader& codes(std::size_t index) {
    if (open_shard == index) return *open_codes;
    open_shard.reset();
    const std::string path = paths.shard(shards[index].shard);
    if (!exists(path)) throw damaged_catalog(path, "it is missing");
    open_codes.emplace(path);
    if (open_codes->rows() != shards[index].rows || open_codes->columns() != dimension) {
      throw damaged_catalog(path, fmt::format("it is ({}, {}), the ledger has ({}, {})", open_codes->rows(),
                                              open_codes->columns(), shards[index].rows, dimension));
    }
    open_shard = index;
    return *open_codes;
  }

  // Over all shards, of (shard, row). A shard that was recorded after this catalog was opened is not part of
  // it.
  std::optional<int64_t> row_at(const std::pair<int64_t, int64_t>& place) const {
    const auto shard =
        std::lower_bound(shards.begin(), shards.end(), place.first,
                         [](const ShardRecord& record, int64_t wanted) { return record.shard < wanted; });
    if (shard == shards.end() || shard->shard != place.first || place.second < 0 ||
        place.second >= shard->rows) {
      return {};
    }
    return first_rows[static_cast<std::size_t>(shard - shards.begin())] + place.second;
  }

  // Index of the shard that holds a row.
  std::size_t shard_of(int64_t row) const {
    if (row < 0 || row >= totals.encoded) {
      throw std::out_of_range(fmt::format("row {} of {}", row, totals.encoded));
    }
    const auto after = std::upper_bound(first_rows.begin(), first_rows.end(), row);
    return static_cast<std::size_t>(after - first_rows.begin()) - 1;
  }
};

CatalogReader::CatalogReader(const std::string& folder, CodeKind kind) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.paths = {folder};
  if (!exists(state.paths.ledger())) {
    throw usage_error("there is no catalog at " + folder + ", name one made by encode");
  }
  state.ledger.emplace(state.paths.ledger(), Access::kRead);
  state.settings = state.ledger->settings();
  if (is_imported(state.settings)) {
    try {
      state.dimension = code_dimension(state.settings);
    } catch (const std::invalid_argument& error) {
      throw damaged_catalog(state.paths.ledger(), error.what());
    }
  } else {
    if (!exists(state.paths.model())) throw damaged_catalog(state.paths.model(), "it is missing");
    state.model = read_model(state.paths.model());
    if (model_fingerprint(*state.model) != state.settings[kModelSetting]) {
      throw damaged_catalog(state.paths.model(), "it is not the model that made this catalog");
    }
  }
  const CatalogTotals stored = state.ledger->totals();
  state.totals.listed = stored.listed;
  state.totals.shards = stored.shards;
  for (const ShardRecord& record : state.ledger->shards()) {
    if (record.shard >= stored.shards) {
      throw damaged_catalog(state.paths.ledger(),
                            fmt::format("shard {} is none of its {}", record.shard, stored.shards));
    }
    state.totals.refused += record.refused;
    ++state.totals.shards_done;
    if (record.rows == 0) continue;
    state.first_rows.push_back(state.totals.encoded);
    state.shards.push_back(record);
    state.totals.encoded += record.rows;
    state.codes(state.shards.size() - 1);
  }
  if (kind == CodeKind::kPlain) return;
  state.compact = CompactFile::open(folder);
  if (!state.compact) {
    throw usage_error(folder + " has no compact codes, make them with lookalike compact -c " +
                      shell_path(folder));
  }
  if (state.compact->source() != codes_fingerprint() || state.compact->rows() != rows()) {
    throw usage_error(
        fmt::format("the compact codes of {} are not of its codes as they are now, make them "
                    "again with lookalike compact -c {}",
                    folder, shell_path(folder)));
  }
}

CatalogReader::~CatalogReader() = default;

bool CatalogReader::complete() const { return state_->settings[kCompleteSetting] == "1"; }

int64_t CatalogReader::rows() const { return state_->totals.encoded; }

CodeKind CatalogReader::kind() const { return state_->compact ? CodeKind::kCompact : CodeKind::kPlain; }

int64_t CatalogReader::dimension() const {
  return state_->compact ? state_->compact->components() : state_->dimension;
}

int64_t CatalogReader::plain_dimension() const { return state_->dimension; }

bool CatalogReader::has_model() const { return state_->model.has_value(); }

const Model& CatalogReader::model() const {
  if (!state_->model) {
    throw usage_error("no network belongs to " + folder() +
                      ", whose codes were imported, take a catalog made by encode");
  }
  return *state_->model;
}

const std::string& CatalogReader::folder() const { return state_->paths.folder; }

CatalogTotals CatalogReader::totals() const { return state_->totals; }

Settings CatalogReader::settings() const { return state_->settings; }

std::vector<CodeShard> CatalogReader::code_shards() const {
  std::vector<CodeShard> shards;
  for (std::size_t s = 0; s < state_->shards.size(); ++s) {
    const ShardRecord& record = state_->shards[s];
    shards.push_back(
        {state_->paths.shard(record.shard), state_->first_rows[s], record.rows, record.codes_checksum});
  }
  return shards;
}

std::string CatalogReader::codes_fingerprint() const {
  Fingerprint hash;
  for (const ShardRecord& record : state_->shards) {
    hash.add(static_cast<uint64_t>(record.rows));
    hash.add(record.codes_checksum);
  }
  return hash.hex();
}

void CatalogReader::for_each_block(
    int64_t block_rows,
    const std::function<void(int64_t first_row, std::span<const float> codes)>& visit) const {
  if (block_rows <= 0) throw std::invalid_argument("blocks of no rows");
  std::vector<float> block;
  for (int64_t first = 0; state_->compact && first < rows(); first += block_rows) {
    const int64_t count = std::min(block_rows, rows() - first);
    block.resize(static_cast<std::size_t>(count * dimension()));
    state_->compact->read_rows(first, count, block);
    visit(first, block);
  }
  if (state_->compact) return;
  for (std::size_t s = 0; s < state_->shards.size(); ++s) {
    const int64_t rows = state_->shards[s].rows;
    for (int64_t first = 0; first < rows; first += block_rows) {
      const int64_t count = std::min(block_rows, rows - first);
      block.resize(static_cast<std::size_t>(count * state_->dimension));
      state_->read(s, first, block);
      visit(state_->first_rows[s] + first, block);
    }
  }
}

void CatalogReader::read_codes(int64_t row, std::span<float> code) const {
  if (!state_->compact) return read_plain_codes(row, code);
  state_->compact->read_rows(row, 1, code);
}

std::vector<float> CatalogReader::comparable(std::vector<float> plain) const {
  if (!state_->compact) return plain;
  std::vector<float> compact(static_cast<std::size_t>(dimension()));
  ThreadPool pool(1);
  state_->compact->compactor().compact(plain, pool, compact);
  return compact;
}

void CatalogReader::read_plain_codes(int64_t row, std::span<float> code) const {
  const std::size_t s = state_->shard_of(row);
  state_->read(s, row - state_->first_rows[s], code);
}

CatalogItem CatalogReader::item(int64_t row) const {
  const std::size_t s = state_->shard_of(row);
  std::optional<CatalogItem> item =
      state_->ledger->item(state_->shards[s].shard, row - state_->first_rows[s]);
  if (!item) throw damaged_catalog(state_->paths.ledger(), fmt::format("row {} has no item", row));
  item->row = row;
  item->path = whole_path(state_->settings, item->path);
  return *item;
}

void CatalogReader::for_each_item(const std::function<void(const CatalogItem& item)>& visit) const {
  int64_t row = 0;
  for (const ShardRecord& record : state_->shards) {
    std::vector<CatalogItem> items = state_->ledger->items(record.shard);
    if (static_cast<int64_t>(items.size()) != record.rows) {
      throw damaged_catalog(state_->paths.ledger(), fmt::format("shard {} has {} items for {} rows",
                                                                record.shard, items.size(), record.rows));
    }
    for (CatalogItem& item : items) {
      item.row = row++;
      item.path = whole_path(state_->settings, item.path);
      visit(item);
    }
  }
}

std::vector<CatalogItem> CatalogReader::all_items() const {
  std::vector<CatalogItem> all;
  all.reserve(static_cast<std::size_t>(rows()));
  for_each_item([&](const CatalogItem& item) { all.push_back(item); });
  return all;
}

std::vector<int32_t> CatalogReader::label_numbers() const {
  // SQLite sorts beyond its memory; a map of labels would hold all of them.
  Statement labels(state_->ledger->database(), "SELECT shard, \"row\", label FROM items ORDER BY label");
  std::vector<int32_t> numbers(static_cast<std::size_t>(rows()), -1);
  int64_t found = 0;
  int32_t number = -1;
  for (std::string last; labels.step();) {
    const auto row = state_->row_at({labels.integer(0), labels.integer(1)});
    if (!row) continue;
    ++found;
    if (std::string label = labels.text(2); label != last) {
      ++number;
      last = std::move(label);
    }
    numbers[static_cast<std::size_t>(*row)] = number;
  }
  if (found != rows()) {
    throw damaged_catalog(state_->paths.ledger(), fmt::format("it has {} items for {} rows", found, rows()));
  }
  return numbers;
}

std::optional<int64_t> CatalogReader::row_of(const std::string& id) const {
  const auto place = state_->ledger->find(id);
  return place ? state_->row_at(*place) : std::nullopt;
}

std::vector<int64_t> CatalogReader::rows_with_content(const std::string& content_hash) const {
  std::vector<int64_t> rows;
  for (const auto& place : state_->ledger->with_content(content_hash)) {
    if (const auto row = state_->row_at(place)) rows.push_back(*row);
  }
  return rows;
}

std::vector<uint8_t> CatalogReader::thumbnail(int64_t row) const {
  const std::size_t s = state_->shard_of(row);
  if (!state_->thumbnails) {
    if (!exists(state_->paths.thumbnails())) return {};
    state_->thumbnails.emplace(state_->paths.thumbnails(), Access::kRead);
  }
  return state_->thumbnails->get(state_->shards[s].shard, row - state_->first_rows[s]);
}

std::vector<Refusal> CatalogReader::refusals() const {
  std::vector<Refusal> all;
  for (const ShardRecord& record : state_->ledger->shards()) {
    for (Refusal& refusal : state_->ledger->refusals(record.shard)) {
      refusal.path = whole_path(state_->settings, refusal.path);
      all.push_back(std::move(refusal));
    }
  }
  return all;
}

}  // namespace lookalike
