// Makes a catalog's sketches: what `index` does, and `encode` at its end.
#pragma once

#include <cstdint>
#include <functional>

#include "engine/thread_pool.h"
#include "host/catalog.h"
#include "host/progress.h"

namespace lookalike {

// Fewer rows are searched as fast without.
inline constexpr int64_t kFewestSketchedRows = 1024;

// Whether a catalog can have sketches that pay: of enough rows, of plain codes that are not too long.
bool may_have_sketches(const CatalogReader& catalog);

// Whether it should have them without being asked: for fewer, comparing all pairs without them takes three
// seconds of two cores at most, and one query a few milliseconds, about what making them costs.
inline constexpr int64_t kFewestRowsToSketchUnasked = 8192;
bool should_have_sketches(const CatalogReader& catalog);

enum class SketchOutcome {
  kMade,
  kFresh,     // there already, of these codes
  kNone,      // this catalog has none
  kNonePays,  // the file says so
  kStopped,   // what was there still is
};

struct SketchReport {
  SketchOutcome outcome = SketchOutcome::kMade;
  int64_t numbers = 0;  // of a sketch
  int64_t bytes = 0;    // of the file
};

// Makes CATALOG/sketch/sketches.bin unless it is there for these codes; force makes it anyway. Under the
// catalog's lock. A sample of at most 2,048 rows and 21 MB, or 512 rows, gives the projection and
// its size; then one pass over the codes. The same bytes for any number of threads on one instruction set.
// report (rows done) returning false stops. Memory: the sample and its directions three times, 35 MB for
// codes of 2,888 numbers (44 where all numbers are scanned), and 0.3 MB a thread; then a block of 1,024 rows
// and the directions.
SketchReport build_sketches(const CatalogReader& catalog, ThreadPool& pool, bool force,
                            const std::function<bool(int64_t rows)>& report);

// The same with a bar; SIGINT and the like stop it.
SketchReport make_sketches(const CatalogReader& catalog, int threads, bool force, Progress& progress);

}  // namespace lookalike
