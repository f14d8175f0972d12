#include "host/ledger.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "host/files.h"
#include "host/fingerprint.h"
#include "host/item_columns.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

constexpr int64_t kVersion = 2;                        // of both databases: PRAGMA user_version
constexpr int64_t kLedgerApplication = 0x4C4B4C47;     // "LKLG": PRAGMA application_id
constexpr int64_t kThumbnailApplication = 0x4C4B5448;  // "LKTH"

// No time stamps and no order of arrival: two catalogs of the same photos, however often cut off, have the
// same rows.
constexpr const char* kLedgerSchema = R"sql(
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE shards (              -- a row here makes a shard finished
  shard INTEGER PRIMARY KEY CHECK (shard >= 0),
  file TEXT UNIQUE,                -- below the catalog's folder; NULL where every item was refused
  rows INTEGER NOT NULL CHECK (rows >= 0),
  refused INTEGER NOT NULL CHECK (refused >= 0),
  codes_checksum TEXT,             -- XXH3-128 of the file
  items_checksum TEXT NOT NULL,    -- XXH3-128 of this shard's items and refusals
  thumbs_checksum TEXT NOT NULL,   -- XXH3-128 of this shard's thumbnails
  CHECK ((rows = 0) = (file IS NULL) AND (rows = 0) = (codes_checksum IS NULL))
) STRICT;

CREATE TABLE items (               -- encoded photos, in the order of the list
  shard INTEGER NOT NULL REFERENCES shards (shard),
  "row" INTEGER NOT NULL CHECK ("row" >= 0),  -- within the shard's file
  id TEXT NOT NULL UNIQUE,
  path TEXT NOT NULL,
  content_hash TEXT NOT NULL,      -- XXH3-128 of the photo's file
  width INTEGER NOT NULL,          -- of the upright photo, pixels
  height INTEGER NOT NULL,
  label TEXT NOT NULL,             -- may be empty
  columns TEXT NOT NULL,           -- the list's other columns, a JSON object of texts
  PRIMARY KEY (shard, "row")
) STRICT, WITHOUT ROWID;

CREATE INDEX items_by_content ON items (content_hash);

CREATE TABLE refusals (            -- photos that could not be used, in the order of the list
  shard INTEGER NOT NULL REFERENCES shards (shard),
  position INTEGER NOT NULL CHECK (position >= 0),
  id TEXT NOT NULL UNIQUE,
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (shard, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kThumbnailSchema = R"sql(
CREATE TABLE thumbs (              -- what the network saw
  shard INTEGER NOT NULL,
  "row" INTEGER NOT NULL,          -- as in the ledger's items
  jpeg BLOB NOT NULL,
  PRIMARY KEY (shard, "row")
) STRICT;
)sql";

void create_schema(Database& database, int64_t application, const char* schema) {
  database.run(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application, kVersion));
  database.run(schema);
}

bool is_empty(const Database& database) {
  return database.number("PRAGMA application_id") == 0 &&
         database.number("SELECT count(*) FROM sqlite_master") == 0;
}

// Ours, of this version, with these tables and nothing else.
void check_schema(const Database& database, int64_t application, const char* schema) {
  if (database.number("PRAGMA application_id") != application) {
    throw damaged_catalog(database.path(), is_empty(database) ? "it was begun and never written"
                                                              : "it is no database of a lookalike catalog");
  }
  if (const int64_t version = database.number("PRAGMA user_version"); version > kVersion) {
    throw damaged_error(
        fmt::format("{} was made by a newer version of lookalike (format {}, this one reads {}), "
                    "use that version",
                    database.path(), version, kVersion));
  } else if (version > 0 && version < kVersion) {
    throw damaged_error(fmt::format(
        "{} was made by an older version of lookalike (format {}, this one reads {}), encode again "
        "with --force",
        database.path(), version, kVersion));
  } else if (version != kVersion) {
    throw damaged_catalog(database.path(), fmt::format("there is no version {} of its format", version));
  }
  Database fresh(":memory:", Database::Access::kWrite);
  create_schema(fresh, application, schema);
  if (database.schema() != fresh.schema())
    throw damaged_catalog(database.path(), "its tables are not those of a catalog");
}

std::string settings_checksum(const Settings& settings) {
  Fingerprint hash;
  for (const auto& [name, value] : settings) {
    hash.add(name);
    hash.add(value);
  }
  return hash.hex();
}

constexpr const char* kItemColumns = "\"row\", id, path, content_hash, width, height, label, columns";

CatalogItem item_from(const Statement& row, const std::string& path) {
  CatalogItem item;
  item.row = row.integer(0);
  item.id = row.text(1);
  item.path = row.text(2);
  item.content_hash = row.text(3);
  item.width = static_cast<int>(row.integer(4));
  item.height = static_cast<int>(row.integer(5));
  item.label = row.text(6);
  try {
    item.columns = columns_from(row.text(7));
  } catch (const std::invalid_argument& error) {
    throw damaged_catalog(path, error.what());
  }
  return item;
}

}  // namespace

Error damaged_catalog(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what +
                       ", copy the catalog again, or encode or import it again with --force");
}

std::string shard_name(int64_t shard) { return fmt::format("codes_{:05}.npy", shard); }

bool is_shard_name(const std::string& file_name) {
  constexpr std::string_view kBefore = "codes_";
  constexpr std::string_view kAfter = ".npy";
  constexpr std::size_t kDigits = 5;
  if (file_name.size() != kBefore.size() + kDigits + kAfter.size()) return false;
  if (!file_name.starts_with(kBefore) || !file_name.ends_with(kAfter)) return false;
  return file_name.find_first_not_of("0123456789", kBefore.size()) == kBefore.size() + kDigits;
}

std::string CatalogPaths::shard(int64_t shard) const { return codes() + "/" + shard_name(shard); }

bool Ledger::is_begun(const std::string& path) { return !is_empty(Database(path, Database::Access::kRead)); }

void Ledger::create(const std::string& path, const Settings& settings,
                    const std::function<void()>& before_commit) {
  Database database(path, Database::Access::kWrite);
  Transaction transaction(database);
  create_schema(database, kLedgerApplication, kLedgerSchema);
  Statement insert(database, "INSERT INTO settings VALUES (?, ?)");
  for (const auto& [name, value] : settings) insert.bind(name, value).run();
  insert.bind(std::string(kChecksumSetting), settings_checksum(settings)).run();
  before_commit();
  transaction.commit();
}

bool is_imported(const Settings& settings) { return settings.contains(kDimensionSetting); }

int64_t code_dimension(const Settings& settings) {
  const auto found = settings.find(kDimensionSetting);
  if (found == settings.end()) return kCodeLength;
  int64_t dimension = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [stop, error] = std::from_chars(found->second.data(), end, dimension);
  if (error != std::errc() || stop != end || dimension < 1) {
    throw std::invalid_argument("the setting dimension is '" + found->second + "'");
  }
  return dimension;
}

std::string whole_path(const Settings& settings, const std::string& listed) {
  const auto root = settings.find(kRootSetting);
  return root == settings.end() ? listed : path_below(root->second, listed);
}

Ledger::Ledger(const std::string& path, Database::Access access) : database_(path, access) {
  check_schema(database_, kLedgerApplication, kLedgerSchema);
  // A shard's rows and most of what they touch of the indexes; of a long list's these outgrow any cache.
  if (access == Database::Access::kWrite) database_.run("PRAGMA cache_size = -1024;");
}

Settings Ledger::settings() const {
  Statement statement(database_, "SELECT name, value FROM settings");
  Settings settings;
  while (statement.step()) settings[statement.text(0)] = statement.text(1);
  const auto checksum = settings.extract(kChecksumSetting);
  if (checksum.empty() || checksum.mapped() != settings_checksum(settings)) {
    throw damaged_catalog(database_.path(), "its settings do not fit their checksum");
  }
  return settings;
}

void Ledger::put_settings(const Settings& settings) {
  Transaction transaction(database_);
  database_.run("DELETE FROM settings;");
  Statement insert(database_, "INSERT INTO settings VALUES (?, ?)");
  for (const auto& [name, value] : settings) insert.bind(name, value).run();
  insert.bind(std::string(kChecksumSetting), settings_checksum(settings)).run();
  transaction.commit();
}

std::vector<ShardRecord> Ledger::shards() const {
  Statement statement(database_,
                      "SELECT shard, rows, refused, file, codes_checksum, items_checksum, thumbs_checksum "
                      "FROM shards ORDER BY shard");
  std::vector<ShardRecord> shards;
  while (statement.step()) {
    ShardRecord record;
    record.shard = statement.integer(0);
    record.rows = statement.integer(1);
    record.refused = statement.integer(2);
    record.codes_checksum = statement.text(4);
    record.items_checksum = statement.text(5);
    record.thumbnails_checksum = statement.text(6);
    const std::string file = record.rows > 0 ? "codes/" + shard_name(record.shard) : "";
    if (record.shard < 0 || record.shard >= kMaxShards || record.rows < 0 || record.refused < 0 ||
        statement.text(3) != file) {
      throw damaged_catalog(database_.path(),
                            fmt::format("its row for shard {} is not one of ours", record.shard));
    }
    shards.push_back(record);
  }
  return shards;
}

CatalogTotals Ledger::totals() const {
  CatalogTotals totals;
  const Settings all = settings();
  const auto count = [&](const char* name) {
    const auto found = all.find(name);
    return found == all.end() ? int64_t{0} : std::strtoll(found->second.c_str(), nullptr, 10);
  };
  totals.listed = count(kListedSetting);
  totals.shards = count(kShardsSetting);
  for (const ShardRecord& record : shards()) {
    totals.encoded += record.rows;
    totals.refused += record.refused;
    ++totals.shards_done;
  }
  return totals;
}

void Ledger::add_shard(const ShardRecord& record, const std::vector<CatalogItem>& items,
                       const std::vector<Refusal>& refusals) {
  Transaction transaction(database_);
  Statement shard(database_,
                  "INSERT INTO shards (shard, file, rows, refused, codes_checksum, items_checksum, "
                  "thumbs_checksum) VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (record.rows > 0) {
    shard.bind(record.shard, "codes/" + shard_name(record.shard), record.rows, record.refused,
               record.codes_checksum, record.items_checksum, record.thumbnails_checksum);
  } else {
    shard.bind(record.shard, nullptr, record.rows, record.refused, nullptr, record.items_checksum,
               record.thumbnails_checksum);
  }
  shard.run();

  const auto twice = [](const std::string& id) {
    return usage_error("the id " + id + " is listed twice, give each photo its own");
  };
  Statement item(database_,
                 "INSERT INTO items (shard, \"row\", id, path, content_hash, width, height, label, columns) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  int64_t row = 0;
  for (const CatalogItem& one : items) {
    item.bind(record.shard, row++, one.id, one.path, one.content_hash, one.width, one.height, one.label,
              columns_text(one.columns));
    if (!item.insert()) throw twice(one.id);
  }
  Statement refusal(database_,
                    "INSERT INTO refusals (shard, position, id, path, reason) VALUES (?, ?, ?, ?, ?)");
  int64_t position = 0;
  for (const Refusal& one : refusals) {
    if (!refusal.bind(record.shard, position++, one.id, one.path, one.reason).insert()) throw twice(one.id);
  }
  transaction.commit();
}

std::string Ledger::shard_checksum(const std::vector<CatalogItem>& items,
                                   const std::vector<Refusal>& refusals) {
  Fingerprint hash;
  hash.add(items.size());
  for (const CatalogItem& item : items) {
    for (const std::string* text : {&item.id, &item.path, &item.content_hash, &item.label}) hash.add(*text);
    hash.add(static_cast<uint64_t>(item.width));
    hash.add(static_cast<uint64_t>(item.height));
    hash.add(item.columns.size());
    for (const auto& [name, value] : item.columns) {
      hash.add(name);
      hash.add(value);
    }
  }
  for (const Refusal& refusal : refusals) {
    for (const std::string* text : {&refusal.id, &refusal.path, &refusal.reason}) hash.add(*text);
  }
  return hash.hex();
}

std::vector<CatalogItem> Ledger::items(int64_t shard) const {
  Statement statement(database_,
                      fmt::format("SELECT {} FROM items WHERE shard = ? ORDER BY \"row\"", kItemColumns));
  statement.bind(shard);
  std::vector<CatalogItem> items;
  while (statement.step()) {
    items.push_back(item_from(statement, database_.path()));
    if (items.back().row != static_cast<int64_t>(items.size()) - 1) {
      throw damaged_catalog(database_.path(),
                            fmt::format("row {} of shard {} is missing", items.size() - 1, shard));
    }
  }
  return items;
}

std::vector<Refusal> Ledger::refusals(int64_t shard) const {
  Statement statement(database_, "SELECT id, path, reason FROM refusals WHERE shard = ? ORDER BY position");
  statement.bind(shard);
  std::vector<Refusal> refusals;
  while (statement.step()) refusals.push_back({statement.text(0), statement.text(1), statement.text(2)});
  return refusals;
}

std::optional<CatalogItem> Ledger::item(int64_t shard, int64_t row) const {
  Statement statement(database_,
                      fmt::format("SELECT {} FROM items WHERE shard = ? AND \"row\" = ?", kItemColumns));
  if (!statement.bind(shard, row).step()) return {};
  return item_from(statement, database_.path());
}

std::optional<std::pair<int64_t, int64_t>> Ledger::find(const std::string& id) const {
  if (id.find('\0') != std::string::npos) return {};
  Statement statement(database_, "SELECT shard, \"row\" FROM items WHERE id = ?");
  if (!statement.bind(id).step()) return {};
  return std::pair(statement.integer(0), statement.integer(1));
}

std::vector<std::pair<int64_t, int64_t>> Ledger::with_content(const std::string& content_hash) const {
  Statement statement(database_,
                      "SELECT shard, \"row\" FROM items WHERE content_hash = ? ORDER BY shard, \"row\"");
  statement.bind(content_hash);
  std::vector<std::pair<int64_t, int64_t>> places;
  while (statement.step()) places.emplace_back(statement.integer(0), statement.integer(1));
  return places;
}

ThumbnailStore::ThumbnailStore(const std::string& path, Database::Access access, bool may_be_new)
    : database_(path, access) {
  if (access == Database::Access::kWrite && may_be_new && is_empty(database_)) {
    Transaction transaction(database_);
    create_schema(database_, kThumbnailApplication, kThumbnailSchema);
    transaction.commit();
  }
  check_schema(database_, kThumbnailApplication, kThumbnailSchema);
  // Room for a batch's thumbnails. They are written and read once: more pages would stay for nothing.
  database_.run("PRAGMA cache_size = -512;");
}

void ThumbnailStore::put(int64_t shard, int64_t first_row,
                         const std::vector<std::vector<uint8_t>>& thumbnails) {
  Transaction transaction(database_);
  // Those of a run that was killed before it recorded the shard.
  Statement(database_, "DELETE FROM thumbs WHERE shard = ? AND \"row\" >= ?").bind(shard, first_row).run();
  Statement insert(database_, "INSERT INTO thumbs (shard, \"row\", jpeg) VALUES (?, ?, ?)");
  int64_t row = first_row;
  for (const std::vector<uint8_t>& jpeg : thumbnails) insert.bind(shard, row++, jpeg).run();
  transaction.commit();
}

std::vector<uint8_t> ThumbnailStore::get(int64_t shard, int64_t row) const {
  Statement statement(database_, "SELECT jpeg FROM thumbs WHERE shard = ? AND \"row\" = ?");
  return statement.bind(shard, row).step() ? statement.blob(0) : std::vector<uint8_t>();
}

int64_t ThumbnailStore::rows(int64_t shard) const {
  Statement statement(database_, "SELECT count(*) FROM thumbs WHERE shard = ?");
  statement.bind(shard).step();
  return statement.integer(0);
}

std::string ThumbnailStore::shard_checksum(int64_t shard) const {
  Fingerprint hash;
  hash.add(static_cast<uint64_t>(rows(shard)));
  Statement statement(database_, "SELECT jpeg FROM thumbs WHERE shard = ? ORDER BY \"row\"");
  statement.bind(shard);
  while (statement.step()) {
    const std::vector<uint8_t> jpeg = statement.blob(0);
    hash.add(jpeg.size());
    hash.add_raw(std::as_bytes(std::span(jpeg)));
  }
  return hash.hex();
}

}  // namespace lookalike
