#include "host/shard_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "engine/error.h"

namespace lookalike {
namespace {

void check_content(const ShardContent& content, std::size_t dimension, bool with_thumbnails) {
  const std::size_t rows = content.items.size();
  if (content.codes.size() != rows * dimension || content.thumbnails.size() != (with_thumbnails ? rows : 0)) {
    throw std::invalid_argument(fmt::format("shard {}: {} items, {} numbers, {} thumbnails", content.shard,
                                            rows, content.codes.size(), content.thumbnails.size()));
  }
  const auto bad = std::find_if(content.codes.begin(), content.codes.end(),
                                [](float value) { return !std::isfinite(value); });
  if (bad != content.codes.end()) {
    const auto index = static_cast<std::size_t>(bad - content.codes.begin());
    throw non_finite_error(fmt::format("number {} of the code of {} is {}, it is not stored, check the model",
                                       index % dimension, content.items[index / dimension].id, *bad));
  }
}

template <typename T>
void move_behind(std::vector<T>& all, std::vector<T>&& more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

ShardWriter::ShardWriter(const CatalogPaths& paths, int64_t shard, int64_t dimension,
                         ThumbnailStore* thumbnails)
    : paths_(paths), dimension_(dimension), store_(thumbnails) {
  record_.shard = shard;
}

void ShardWriter::append(ShardContent piece) {
  check_content(piece, static_cast<std::size_t>(dimension_), store_ != nullptr);
  // Readers of a folder of .npy files stumble over empty ones: no rows, no file.
  if (!piece.items.empty() && !codes_) codes_.emplace(paths_.shard(record_.shard), dimension_);
  if (codes_) codes_->append(piece.codes);
  move_behind(items_, std::move(piece.items));
  move_behind(refusals_, std::move(piece.refusals));
  move_behind(thumbnails_, std::move(piece.thumbnails));
  if (std::ssize(thumbnails_) >= kThumbnailsHeld) flush_thumbnails();
}

ShardRecord ShardWriter::finish(Ledger& ledger) {
  record_.rows = std::ssize(items_);
  record_.refused = std::ssize(refusals_);
  record_.items_checksum = Ledger::shard_checksum(items_, refusals_);
  if (codes_) record_.codes_checksum = codes_->commit();
  flush_thumbnails();
  if (store_ != nullptr) record_.thumbnails_checksum = store_->shard_checksum(record_.shard);
  ledger.add_shard(record_, items_, refusals_);
  return record_;
}

void ShardWriter::flush_thumbnails() {
  if (store_ == nullptr) return;
  store_->put(record_.shard, thumbnails_stored_, thumbnails_);
  thumbnails_stored_ += std::ssize(thumbnails_);
  thumbnails_.clear();
}

}  // namespace lookalike
