// The two databases of a catalog, and where its files lie: what the writer, the reader and verify share.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/settings.h"
#include "host/sqlite.h"

namespace lookalike {

inline constexpr int64_t kMaxShards = 100'000;  // five digits: names in byte order are shards in order

struct CatalogPaths {
  std::string folder;

  std::string ledger() const { return folder + "/catalog.sqlite"; }
  std::string thumbnails() const { return folder + "/thumbs.sqlite"; }
  std::string model() const { return folder + "/model.safetensors"; }
  std::string history() const { return folder + "/metrics.csv"; }  // the model's, where it had one
  std::string codes() const { return folder + "/codes"; }
  std::string shard(int64_t shard) const;
};

// E_DAMAGED "PATH: WHAT, what to do".
Error damaged_catalog(const std::string& path, const std::string& what);

std::string shard_name(int64_t shard);             // "codes_00000.npy"
bool is_shard_name(const std::string& file_name);  // made by shard_name

// A finished shard, as the ledger has it.
struct ShardRecord {
  int64_t shard = 0;
  int64_t rows = 0;                 // items encoded
  int64_t refused = 0;              // items refused
  std::string codes_checksum;       // XXH3-128 of the file; empty where no row, so no file
  std::string items_checksum;       // of its items and refusals: see Ledger::shard_checksum
  std::string thumbnails_checksum;  // of its thumbnails; empty in an imported catalog
};

// The settings that the catalog itself adds to those of its maker.
inline constexpr const char* kListedSetting = "listed";  // length of the photo list
inline constexpr const char* kShardsSetting = "shards";  // shards that it is cut into
inline constexpr const char* kModelSetting = "model";    // model_fingerprint of model.safetensors
inline constexpr const char* kDimensionSetting =
    "dimension";  // numbers of a code, of a catalog that was imported: it has no model and no pictures
inline constexpr const char* kCompleteSetting = "complete";    // "0" or "1"
inline constexpr const char* kRootSetting = "root";            // folder that paths are below; it may move
inline constexpr const char* kPrecisionSetting = "precision";  // of all codes: float32 or fp16
inline constexpr const char* kChecksumSetting = "checksum";    // XXH3-128 over all other settings

// Whether the codes came from another program.
bool is_imported(const Settings& settings);
// Numbers of a plain code. Throws std::invalid_argument for a setting that is no such number.
int64_t code_dimension(const Settings& settings);

// A path of the ledger as the file system takes it: below the setting `root`, where there is one.
std::string whole_path(const Settings& settings, const std::string& listed);

class Ledger {
 public:
  // Throws E_DAMAGED unless the file is a ledger of this version.
  Ledger(const std::string& path, Database::Access access);
  // False for a file that create() did not finish.
  static bool is_begun(const std::string& path);
  // A new one, in one transaction, in a file that is empty or missing. `before_commit` makes what has to be
  // there when the ledger is.
  static void create(const std::string& path, const Settings& settings,
                     const std::function<void()>& before_commit);

  const Database& database() const { return database_; }

  Settings settings() const;                    // without kChecksumSetting, which is checked
  void put_settings(const Settings& settings);  // all of them anew
  std::vector<ShardRecord> shards() const;      // ascending
  CatalogTotals totals() const;

  // One transaction. Throws E_USAGE for an id that is there already.
  void add_shard(const ShardRecord& record, const std::vector<CatalogItem>& items,
                 const std::vector<Refusal>& refusals);

  // Over all columns of the shard's items and refusals, in order: SQLite does not see a changed text.
  static std::string shard_checksum(const std::vector<CatalogItem>& items,
                                    const std::vector<Refusal>& refusals);
  // In order, `row` counted within the shard; E_DAMAGED where one is missing.
  std::vector<CatalogItem> items(int64_t shard) const;
  std::vector<Refusal> refusals(int64_t shard) const;
  std::optional<CatalogItem> item(int64_t shard, int64_t row) const;
  std::optional<std::pair<int64_t, int64_t>> find(const std::string& id) const;  // shard, row
  // Of all items whose photo's file had these bytes, ascending.
  std::vector<std::pair<int64_t, int64_t>> with_content(const std::string& content_hash) const;

 private:
  Database database_;
};

class ThumbnailStore {
 public:
  // kWrite makes a new one where there is none, unless one must be there already.
  ThumbnailStore(const std::string& path, Database::Access access, bool may_be_new = true);

  const Database& database() const { return database_; }

  // Rows first_row and on of the shard: these in place of all that were there. One transaction.
  void put(int64_t shard, int64_t first_row, const std::vector<std::vector<uint8_t>>& thumbnails);
  std::vector<uint8_t> get(int64_t shard, int64_t row) const;  // empty: none
  int64_t rows(int64_t shard) const;
  std::string shard_checksum(int64_t shard) const;

 private:
  Database database_;
};

}  // namespace lookalike
