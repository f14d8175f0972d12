// CATALOG/compact/: compact codes beside the plain ones, with the projection that made them
// (engine/compact.h).
//
//   projection.safetensors   mean + mean_low (D), directions (m, D), deviations (m); metadata: format,
//   version,
//                            source (fingerprint of the plain codes), codes (the other file's name), rows,
//                            codes_checksum (XXH3-128 of that file), checksum
//   codes_DIGITS.npy         (rows, m) <f4
//
// The projection is published last and names its codes, so a run cut at any moment leaves the pair that was.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/compact.h"
#include "engine/search.h"
#include "engine/thread_pool.h"
#include "host/npy.h"

namespace lookalike {

inline constexpr int64_t kCompactNumbers = 128;  // when nobody says

std::string compact_folder(const std::string& catalog);

class CompactFile {
 public:
  // Throws E_DAMAGED for files that are there and broken. Nothing where the catalog has none.
  static std::optional<CompactFile> open(const std::string& catalog);

  const Compactor& compactor() const { return compactor_; }
  int64_t components() const { return compactor_.projection().components(); }
  int64_t rows() const { return codes_->rows(); }
  const std::string& source() const {
    return source_;
  }  // CatalogReader::codes_fingerprint of the plain codes

  // out (count, m), overwritten. Throws E_DAMAGED for a number that is not finite.
  void read_rows(int64_t first, int64_t count, std::span<float> out) const;

  // Reads all of the codes and compares their checksum: throws E_DAMAGED.
  void verify() const;

 private:
  CompactFile(std::string path, std::string source, std::string checksum, CompactProjection projection);

  std::string path_, source_, checksum_;  // path: of the codes
  Compactor compactor_;
  std::unique_ptr<NpyReader> codes_;
};

// Makes them anew of `codes` (rows, D), under a lock that the caller holds. What was there stays until the
// new pair is whole. Whatever `codes` and `step`, which is as fit_compact's, throw passes through.
void build_compact(
    const std::string& catalog, const CodeSource& codes, int64_t dimension, int64_t components,
    const std::string& source, ThreadPool& pool, const std::function<void()>& step = [] {});

void remove_compact(const std::string& catalog);

}  // namespace lookalike
