// How a search divides the memory it may take.
#pragma once

#include <cstdint>

namespace lookalike {

// Rows read at a time where their codes are kept.
inline constexpr int64_t kRowsReadAtOnce = 256;

struct SearchDemand {
  int64_t rows = 0, dimension = 0;  // of the catalog
  int64_t k = 10;                   // neighbours of a query
  int64_t at_once = 1;              // queries in one call, at most
  int64_t sketch_numbers = 0;       // 0: no sketches
  int64_t block_bytes = 0;          // of a block of sketches
  int64_t beside = 0;               // bytes of what chooses the rows, and of the caller
  int threads = 1;
};

struct SearchMemory {
  int64_t at_once = 1;      // queries in one call
  int64_t block_rows = 64;  // codes of the plain scan at a time
  int64_t spare = 0;        // bytes for sketches and codes that are kept
};

// Bytes that a search of `at_once` queries takes at its peak beside what is kept and what chooses the rows,
// with blocks of so many codes.
int64_t search_bytes(const SearchDemand& demand, int64_t at_once, int64_t block_rows);

// The least budget that plan_search_memory takes.
int64_t least_search_memory(const SearchDemand& demand, int64_t taken);

// Of `budget` bytes for the process, of which it has taken `taken` already. Throws E_USAGE, naming the least
// that is enough, where that is more.
SearchMemory plan_search_memory(const SearchDemand& demand, int64_t budget, int64_t taken);

// Whether all codes and a list for each row fit there at one time.
bool all_pairs_fit(const SearchDemand& demand, int64_t budget, int64_t taken);

}  // namespace lookalike
