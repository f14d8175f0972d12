#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/catalog.h"
#include "host/compact_file.h"
#include "host/files.h"
#include "host/ledger.h"
#include "host/npy.h"
#include "host/shard_writer.h"

namespace lookalike {
namespace {

using Access = Database::Access;

void refuse_too_many(int64_t shards) {
  if (shards >= 0 && shards <= kMaxShards) return;
  throw usage_error(fmt::format("{} shards are more than {}, take more rows a shard", shards, kMaxShards));
}

// A folder that holds something and no ledger belongs to somebody else: not even --force writes there.
void refuse_foreign(const CatalogPaths& paths) {
  if (exists(paths.folder) && !is_folder(paths.folder)) {
    throw usage_error(paths.folder + " is not a folder, name another for the catalog");
  }
  if (exists(paths.ledger()) || !exists(paths.folder)) return;
  for (const std::string& name : names_in(paths.folder)) {
    if (name.starts_with(".lock") || name.starts_with(".catalog.sqlite.tmp-")) continue;
    throw usage_error(fmt::format("{} is not empty and holds no catalog (it has {}), name another folder",
                                  paths.folder, name));
  }
}

// An empty ledger marks the folder as ours and says that nothing in it is finished. All else that a catalog
// consists of goes after that, so that a kill leaves the old catalog or an empty one.
void start_over(const CatalogPaths& paths) {
  // The ledger first: SQLite plays no journal back into an empty database.
  AtomicFile(paths.ledger()).commit();
  remove_file(paths.ledger() + "-journal");
  remove_file(paths.thumbnails() + "-journal");
  remove_file(paths.thumbnails());
  remove_file(paths.history());
  remove_file(paths.model());
  remove_compact(paths.folder);
}

Settings all_settings(const Settings& given, const std::optional<Model>& model, int64_t listed,
                      int64_t shards) {
  if (model.has_value() == is_imported(given)) {
    throw std::invalid_argument("a catalog has a model or a dimension of its own");
  }
  Settings settings = {{kListedSetting, std::to_string(listed)},
                       {kShardsSetting, std::to_string(shards)},
                       {kCompleteSetting, "0"}};
  if (model) settings.emplace(kModelSetting, model_fingerprint(*model));
  for (const auto& [name, value] : given) {
    const auto [place, fresh] = settings.emplace(name, value);
    if ((!fresh && place->second != value) || name == kCompleteSetting || name == kChecksumSetting) {
      throw std::invalid_argument("the catalog's own setting " + name + " was given as " + value);
    }
  }
  return settings;
}

// The photos' list before what follows from it, the rule before the model that has it.
constexpr SettingName kNames[] = {{kDimensionSetting, "the numbers of a code"},
                                  {"photos", "the list of photos"},
                                  {"label", "--label"},
                                  {"columns", "the labels and columns"},
                                  {"limits", "the limits of a photo"},
                                  {"photo_rule", "photo_rule"},
                                  {kModelSetting, "the model"},
                                  {"codes", "the codes"},
                                  {"ids", "the ids"},
                                  {"labels", "the labels"}};

void require_same_catalog(const std::string& folder, const Settings& stored, const Settings& asked) {
  if (is_imported(stored) != is_imported(asked)) {
    throw usage_error(
        fmt::format("{} holds a catalog made {}, give another folder, or --force to start over", folder,
                    is_imported(stored) ? "by import-codes, without photos" : "from photos by encode"));
  }
  std::vector<const char*> not_compared = {kCompleteSetting, kRootSetting};
  not_compared.insert(not_compared.end(), kNotCompared.begin(), kNotCompared.end());
  require_same_settings(folder, stored, asked, {kNames, not_compared});
}

// Shards that a killed run published and did not record.
void remove_orphans(const CatalogPaths& paths, const std::set<int64_t>& finished) {
  std::set<std::string> known;
  for (const int64_t shard : finished) known.insert(shard_name(shard));
  for (const std::string& name : names_in(paths.codes())) {
    if (is_shard_name(name) && !known.contains(name)) remove_file(paths.codes() + "/" + name);
  }
}

}  // namespace

CatalogTotals look_at_catalog(const std::string& folder, const Model& model, const Settings& settings,
                              int64_t listed, int64_t shards, bool force) {
  const CatalogPaths paths = {folder};
  refuse_too_many(shards);
  refuse_foreign(paths);
  CatalogTotals nothing;
  nothing.listed = listed;
  nothing.shards = shards;
  if (force || !exists(paths.ledger()) || !Ledger::is_begun(paths.ledger())) return nothing;
  const Ledger ledger(paths.ledger(), Access::kRead);
  require_same_catalog(folder, ledger.settings(), all_settings(settings, model, listed, shards));
  return ledger.totals();
}

struct CatalogWriter::State {
  CatalogPaths paths;
  std::optional<FolderLock> lock;
  std::optional<Ledger> ledger;
  std::optional<ThumbnailStore> thumbnails;
  Settings begun_with;
  std::set<int64_t> finished;
  CatalogTotals totals;
  std::unique_ptr<ShardWriter> open;  // of the shard whose last piece is still to come
};

CatalogWriter::CatalogWriter(const std::string& folder, const std::optional<Model>& model,
                             const Settings& settings, int64_t listed, int64_t shards, bool force)
    : state_(std::make_unique<State>()) {
  refuse_too_many(shards);
  const CatalogPaths& paths = state_->paths = {folder};
  refuse_foreign(paths);
  state_->lock.emplace(folder);
  refuse_foreign(paths);
  sweep_temporaries(folder);
  make_folders(folder);

  const Settings wanted = all_settings(settings, model, listed, shards);
  if (force || !exists(paths.ledger())) start_over(paths);
  const bool begun = Ledger::is_begun(paths.ledger());
  if (!begun) {
    Ledger::create(paths.ledger(), wanted, [&] {
      if (model) write_model(paths.model(), *model);
    });
  }
  state_->ledger.emplace(paths.ledger(), Access::kWrite);
  state_->begun_with = state_->ledger->settings();
  require_same_catalog(folder, state_->begun_with, wanted);
  if (begun && model && !exists(paths.model())) throw damaged_catalog(paths.model(), "it is missing");
  if (begun && model && model_fingerprint(read_model(paths.model())) != model_fingerprint(*model)) {
    throw damaged_catalog(paths.model(), "it is not the model that made this catalog");
  }

  make_folders(paths.codes());
  sweep_temporaries(paths.codes());
  for (const ShardRecord& record : state_->ledger->shards()) {
    const std::string path = paths.shard(record.shard);
    if (record.rows > 0 && !exists(path)) throw damaged_catalog(path, "it is missing");
    if (record.rows > 0 && NpyReader(path).rows() != record.rows) {
      throw damaged_catalog(path, "it has not the rows of the ledger");
    }
    state_->finished.insert(record.shard);
  }
  remove_orphans(paths, state_->finished);
  if (model && !state_->finished.empty() && !exists(paths.thumbnails())) {
    throw damaged_catalog(paths.thumbnails(), "it is missing");
  }
  if (model) state_->thumbnails.emplace(paths.thumbnails(), Access::kWrite, state_->finished.empty());
  state_->totals = state_->ledger->totals();
}

CatalogWriter::~CatalogWriter() = default;

bool CatalogWriter::finished(int64_t shard) const { return state_->finished.contains(shard); }

CatalogTotals CatalogWriter::totals() const { return state_->totals; }

const Settings& CatalogWriter::begun_with() const { return state_->begun_with; }

std::vector<Refusal> CatalogWriter::first_refusals(std::size_t most) const {
  std::vector<Refusal> first;
  for (const ShardRecord& record : state_->ledger->shards()) {
    if (record.refused == 0) continue;
    for (Refusal& refusal : state_->ledger->refusals(record.shard)) {
      if (first.size() == most) return first;
      refusal.path = whole_path(state_->begun_with, refusal.path);
      first.push_back(std::move(refusal));
    }
  }
  return first;
}

void CatalogWriter::write(ShardContent piece) {
  CatalogTotals& totals = state_->totals;
  // Taken out: what throws leaves nothing open.
  std::unique_ptr<ShardWriter> open = std::move(state_->open);
  const int64_t shard = piece.shard;
  if (shard < 0 || shard >= totals.shards || finished(shard) || (open && open->shard() != shard)) {
    throw std::invalid_argument(
        fmt::format("shard {} is none of the {}, finished or not the next", shard, totals.shards));
  }
  if (!open) {
    open = std::make_unique<ShardWriter>(state_->paths, shard, code_dimension(state_->begun_with),
                                         state_->thumbnails ? &*state_->thumbnails : nullptr);
  }
  const bool ends = piece.ends_shard;
  open->append(std::move(piece));
  if (!ends) {
    state_->open = std::move(open);
    return;
  }
  const ShardRecord record = open->finish(*state_->ledger);
  state_->finished.insert(shard);
  totals.encoded += record.rows;
  totals.refused += record.refused;
  ++totals.shards_done;
}

void CatalogWriter::finish() {
  const CatalogTotals& totals = state_->totals;
  if (totals.shards_done != totals.shards || totals.listed != totals.encoded + totals.refused) {
    throw std::logic_error(fmt::format("{} of {} shards, {} + {} of {} photos are in the catalog",
                                       totals.shards_done, totals.shards, totals.encoded, totals.refused,
                                       totals.listed));
  }
  Settings settings = state_->ledger->settings();
  if (settings.at(kCompleteSetting) == "1") return;
  settings.erase(kCompleteSetting);
  settings.emplace(kCompleteSetting, "1");
  state_->ledger->put_settings(settings);
}

void CatalogWriter::move_photos(const std::string& root) {
  Settings settings = state_->ledger->settings();
  settings[kRootSetting] = root;
  state_->ledger->put_settings(settings);
  state_->begun_with[kRootSetting] = root;
}

}  // namespace lookalike
