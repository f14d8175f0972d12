// What the sketches of some queries and a catalog's say of distances.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sketch_blocks.h"
#include "engine/thread_pool.h"

namespace lookalike {

class SketchBounds {
 public:
  // queries (Q, D). Sketches them: Q (9 size + stored + 32) bytes, of which 4 size stay only for the time.
  SketchBounds(const SketchedCatalog& catalog, std::span<const float> queries, ThreadPool& pool);

  // Scanned sketches of the queries from `first` on, (Q - first, stored).
  const int8_t* bytes(int64_t first) const { return bytes_.data() + first * stored_; }
  int64_t stored() const { return stored_; }

  // Rows of a block with a lower score are farther from query q than `limit`, a squared distance.
  int32_t least_score(int64_t q, double limit, const SketchBlock& block) const;

  // Lower bounds of a row's squared distance, rounded down, finite; 0 where nothing is known. fine_error: as
  // rounded_up gives it for the row's block.
  float of_score(int64_t q, const SketchBlock& block, int32_t score) const;
  float of_fine(int64_t q, float fine_error, const int8_t* fine) const;
  static float rounded_up(double error);

 private:
  struct OfQuery {
    double byte_error = 0, fine_error = 0;  // as of a block; the latter with what comparing may be off
    int64_t square = 0, sum = 0;            // of the bytes: |bytes|^2, and their sum
  };
  void round_query(int64_t q, std::span<const float> sketch, double error);
  float squared(double apart, double error) const;

  const SketchedCatalog& catalog_;
  int64_t size_, stored_;
  std::vector<float> fine_;          // (Q, size)
  std::vector<int8_t> bytes_;        // (Q, stored)
  std::vector<OfQuery> of_queries_;  // (Q)
};

}  // namespace lookalike
