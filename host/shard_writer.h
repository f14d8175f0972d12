// One shard on its way to the disk, piece by piece: codes to its file, thumbnails to their database.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "host/catalog.h"
#include "host/ledger.h"
#include "host/npy.h"

namespace lookalike {

// Thumbnails of one transaction, which costs several flushes of the disk.
inline constexpr int64_t kThumbnailsHeld = 512;

// Keeps in memory what the ledger needs of each photo, and the thumbnails of one transaction.
class ShardWriter {
 public:
  // dimension: numbers of a code; thumbnails: null where there are none.
  ShardWriter(const CatalogPaths& paths, int64_t shard, int64_t dimension, ThumbnailStore* thumbnails);

  int64_t shard() const { return record_.shard; }
  // Checked first: throws E_NON_FINITE for a code that is none, naming the photo.
  void append(ShardContent piece);
  // Publishes codes and thumbnails, then records the shard.
  ShardRecord finish(Ledger& ledger);

 private:
  void flush_thumbnails();

  const CatalogPaths& paths_;
  int64_t dimension_;
  ThumbnailStore* store_;
  ShardRecord record_;
  std::optional<NpyWriter> codes_;  // none before the first row
  std::vector<CatalogItem> items_;
  std::vector<Refusal> refusals_;
  std::vector<std::vector<uint8_t>> thumbnails_;  // not in the store yet
  int64_t thumbnails_stored_ = 0;
};

}  // namespace lookalike
