// Single codes of a catalog, for several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "host/catalog.h"
#include "host/npy.h"

namespace lookalike {

class CodeRows {
 public:
  // shards: CatalogReader::code_shards(); dimension: of a code.
  CodeRows(std::vector<CodeShard> shards, int64_t dimension);

  // out (D), overwritten. Throws E_DAMAGED for a number that is not finite: it would drop its row from
  // results.
  void read(int64_t row, std::span<float> out) const;

 private:
  std::shared_ptr<NpyReader> file_of(std::size_t shard) const;

  std::vector<CodeShard> shards_;
  int64_t dimension_;
  mutable std::mutex mutex_;  // of both below
  mutable std::vector<std::shared_ptr<NpyReader>> files_;
  mutable int open_ = 0;
};

}  // namespace lookalike
