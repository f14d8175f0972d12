// A catalog folder: shards of codes, the ledger that says which are finished, the model that made them,
// thumbnails.
//
// CATALOG/catalog.sqlite is the only source of what is finished. A shard is written beside, flushed, renamed,
// its folder flushed, and only then recorded with its items in one transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/byte_cache.h"
#include "host/dataset.h"
#include "host/model_file.h"
#include "host/settings.h"

namespace lookalike {

struct CatalogItem {
  int64_t row = 0;  // over all shards, in list order
  std::string id, path, label, content_hash;
  int width = 0, height = 0;
  std::map<std::string, std::string> columns;
};

// What consecutive photos of one shard became: the whole shard, or a piece of it.
struct ShardContent {
  int64_t shard = 0;
  bool ends_shard = true;
  std::vector<CatalogItem> items;                // row is set by the ledger
  std::vector<float> codes;                      // (items, D)
  std::vector<std::vector<uint8_t>> thumbnails;  // JPEG, one an item; none in an imported catalog
  std::vector<Refusal> refusals;
};

// A finished shard that has rows.
struct CodeShard {
  std::string path;
  int64_t first_row = 0, rows = 0;
  std::string checksum;  // of the file, as the ledger has it
};

struct CatalogTotals {
  int64_t listed = 0, encoded = 0, refused = 0, shards = 0, shards_done = 0;
};

class CatalogWriter {
 public:
  // Makes or resumes `folder`, under its lock. settings: everything that shapes the result (model
  // fingerprint, photo rule, list fingerprint, shard rows, precision, version), and `root`. Another value
  // there: E_USAGE naming the setting, both values and --force; force starts over. Copies the model in; codes
  // of another program have none, but the setting `dimension`, and come without thumbnails. A
  // catalog keeps the settings that it was begun with, `root` and those of kNotCompared too, which are not
  // compared.
  CatalogWriter(const std::string& folder, const std::optional<Model>& model, const Settings& settings,
                int64_t listed, int64_t shards, bool force);
  ~CatalogWriter();

  bool finished(int64_t shard) const;
  CatalogTotals totals() const;
  const Settings& begun_with() const;
  std::vector<Refusal> first_refusals(std::size_t most) const;
  // Shards may come in any order, each in one piece or several. A piece goes to the disk at once; the shard
  // is durable when this returns from its last piece, and none of it stays where that never comes. After an
  // exception the shard begins anew.
  void write(ShardContent piece);
  // Once all shards are in: marks the catalog complete.
  void finish();
  // The photos are the same and lie below another folder.
  void move_photos(const std::string& root);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a CatalogWriter with the same arguments would go on from, without a trace in the folder. Throws what
// its constructor would throw for a foreign folder, a damaged ledger or other settings.
CatalogTotals look_at_catalog(const std::string& folder, const Model& model, const Settings& settings,
                              int64_t listed, int64_t shards, bool force);

// Which of a catalog's codes are compared: those the network made, or the compact ones beside them.
enum class CodeKind { kPlain, kCompact };

class CatalogReader {
 public:
  // Throws E_DAMAGED for a foreign, damaged or newer catalog, E_USAGE where there is none, or where it has no
  // compact codes of its plain ones and these are asked for. An unfinished one opens; complete() tells.
  explicit CatalogReader(const std::string& folder, CodeKind kind = CodeKind::kPlain);
  ~CatalogReader();

  bool complete() const;
  int64_t rows() const;  // of finished shards
  CodeKind kind() const;
  int64_t dimension() const;        // D, numbers of a code of this kind
  int64_t plain_dimension() const;  // of a plain code, 2,888 where a network made it
  // Codes of another program belong to no model: has_model tells, and model throws E_USAGE.
  bool has_model() const;
  const Model& model() const;
  const std::string& folder() const;
  CatalogTotals totals() const;
  Settings settings() const;
  // Of the plain codes, whatever the kind; what is derived from them keeps their fingerprint.
  std::vector<CodeShard> code_shards() const;  // ascending rows
  std::string codes_fingerprint() const;       // of the shards' rows and checksums in order

  // Every finished row in order, in blocks of at most block_rows: visit(first_row, codes (count, D)).
  void for_each_block(
      int64_t block_rows,
      const std::function<void(int64_t first_row, std::span<const float> codes)>& visit) const;
  void read_codes(int64_t row, std::span<float> code) const;
  // What the network can decode, whatever the kind.
  void read_plain_codes(int64_t row, std::span<float> code) const;
  // What a plain code is compared as: itself, or its compact code.
  std::vector<float> comparable(std::vector<float> plain) const;
  CatalogItem item(int64_t row) const;
  // Ascending rows; a shard's items in memory at one time.
  void for_each_item(const std::function<void(const CatalogItem& item)>& visit) const;
  std::vector<CatalogItem> all_items() const;  // ascending rows
  // (rows) the same number for the same label, from 0; -1 where there is none. Memory: this, and 4 MB.
  std::vector<int32_t> label_numbers() const;
  std::optional<int64_t> row_of(const std::string& id) const;
  std::vector<int64_t> rows_with_content(const std::string& content_hash) const;  // ascending
  std::vector<uint8_t> thumbnail(int64_t row) const;  // JPEG; empty where there is none
  std::vector<Refusal> refusals() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads all of a model or catalog: structure, checksums, counts, finite codes. Returns lines to print; throws
// E_DAMAGED at the first thing that is wrong, naming it.
std::vector<std::string> verify_artefact(const std::string& path);

}  // namespace lookalike
