#include "host/photo_table.h"

#include "host/item_columns.h"
#include "host/sqlite.h"

namespace lookalike {
namespace {

constexpr int64_t kBlockItems = 1024;

// `place` counts from 1.
constexpr const char* kColumns =
    "(place INTEGER PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL, label TEXT NOT NULL, "
    "columns TEXT NOT NULL, line INTEGER NOT NULL)";

}  // namespace

struct PhotoTable::State {
  explicit State(const std::string& name)
      : source(name), database("the temporary list of photos", Database::Access::kPrivate) {
    database.run("BEGIN;" + std::string("CREATE TABLE photos ") + kColumns + ";");
    insert.emplace(database, "INSERT INTO photos VALUES (NULL, ?, ?, ?, ?, ?)");
    select.emplace(database,
                   "SELECT id, path, label, columns FROM photos WHERE place > ? ORDER BY place LIMIT ?");
  }

  std::string source;
  Database database;
  std::optional<Statement> insert, select;
  int64_t size = 0;
};

PhotoTable::PhotoTable(const std::string& source) : state_(std::make_unique<State>(source)) {}

PhotoTable::PhotoTable(const PhotoList& photos) : PhotoTable(photos.source) {
  root = photos.root;
  labels = photos.labels;
  for (const PhotoItem& item : photos.items) add(item, size() + 1);
}

PhotoTable::~PhotoTable() = default;
PhotoTable::PhotoTable(PhotoTable&&) noexcept = default;

void PhotoTable::add(const PhotoItem& item, int64_t line) {
  state_->insert->bind(item.id, item.path, item.label, columns_text(item.columns), line).run();
  ++state_->size;
}

void PhotoTable::sort() {
  state_->database.run(
      std::string("CREATE TABLE sorted ") + kColumns + ";" +
      "INSERT INTO sorted SELECT NULL, id, path, label, columns, line FROM photos ORDER BY id;"
      "DROP TABLE photos; ALTER TABLE sorted RENAME TO photos;");
}

void PhotoTable::finish() { state_->database.run("PRAGMA cache_size = -256; PRAGMA shrink_memory;"); }

std::optional<EqualIds> PhotoTable::equal_ids() const {
  Database& database = state_->database;
  database.run("CREATE INDEX IF NOT EXISTS ids ON photos (id);");
  Statement first(database,
                  "SELECT id, first_line, line FROM (SELECT id, line, place, row_number() OVER same AS nth, "
                  "first_value(line) OVER same AS first_line FROM photos "
                  "WINDOW same AS (PARTITION BY id ORDER BY place)) WHERE nth = 2 ORDER BY place LIMIT 1");
  if (!first.step()) return {};
  return EqualIds{first.text(0), first.integer(1), first.integer(2)};
}

int64_t PhotoTable::size() const { return state_->size; }

const std::string& PhotoTable::source() const { return state_->source; }

std::vector<PhotoItem> PhotoTable::items(int64_t first, int64_t count) const {
  std::vector<PhotoItem> items;
  Statement& row = state_->select->bind(first, count);
  while (row.step()) {
    items.push_back(
        {.id = row.text(0), .path = row.text(1), .label = row.text(2), .columns = columns_from(row.text(3))});
  }
  row.reset();
  return items;
}

PhotoList PhotoTable::list() const {
  return {.source = source(), .root = root, .labels = labels, .items = items(0, size())};
}

ListIdentity PhotoTable::identity() const {
  ListFingerprint fingerprint(root);
  for (int64_t first = 0; first < size(); first += kBlockItems) {
    for (const PhotoItem& item : items(first, kBlockItems)) fingerprint.add(item);
  }
  return fingerprint.identity();
}

}  // namespace lookalike
