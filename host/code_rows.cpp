#include "host/code_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/ledger.h"

namespace lookalike {
namespace {

// A catalog may have more shards than a process may have open files.
constexpr int kMostOpen = 256;

}  // namespace

CodeRows::CodeRows(std::vector<CodeShard> shards, int64_t dimension)
    : shards_(std::move(shards)), dimension_(dimension), files_(shards_.size()) {}

void CodeRows::read(int64_t row, std::span<float> out) const {
  const auto after =
      std::upper_bound(shards_.begin(), shards_.end(), row,
                       [](int64_t wanted, const CodeShard& shard) { return wanted < shard.first_row; });
  const auto shard = static_cast<std::size_t>(after - shards_.begin()) - 1;
  const int64_t within = row - shards_[shard].first_row;
  file_of(shard)->read_rows(within, 1, out);
  if (std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); })) return;
  throw damaged_catalog(shards_[shard].path, fmt::format("row {} has a number that is not finite", within));
}

std::shared_ptr<NpyReader> CodeRows::file_of(std::size_t shard) const {
  const std::lock_guard lock(mutex_);
  if (files_[shard]) return files_[shard];
  if (open_ == kMostOpen) {
    std::fill(files_.begin(), files_.end(), nullptr);  // a thread that reads one keeps it open
    open_ = 0;
  }
  auto file = std::make_shared<NpyReader>(shards_[shard].path);
  if (file->rows() != shards_[shard].rows || file->columns() != dimension_) {
    throw damaged_catalog(shards_[shard].path, "it has not the rows of the ledger");
  }
  files_[shard] = std::move(file);
  ++open_;
  return files_[shard];
}

}  // namespace lookalike
