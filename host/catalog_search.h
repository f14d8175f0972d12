// The one way a catalog is searched: by its sketches where it has them and the device is the CPU, else by the
// plain scan. Results are the same to the bit; speed and memory are not.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/search.h"
#include "host/catalog.h"

namespace lookalike {

struct CatalogSearchOptions {
  int threads = 0;      // 0: one for each core
  int64_t queries = 1;  // that will be asked for in all; many make it hold what fits
  int64_t at_once = 1;  // of them in one call, at most
  int64_t k = 10;       // neighbours of a query, at most
  int64_t memory = 0;   // bytes that the process may take at its peak; 0: half of what the machine has free
  std::function<void(const std::string& text)> notice =
      {};  // told of sketches that cannot be used, and what to do
  // Share done of a pass over the catalog, now and then, by the caller's thread; false stops.
  std::function<bool(double share)> watch = {};
};

// Thrown where a watch or a signal asked to stop.
struct SearchStopped {};

class CatalogSearch {
 public:
  // Throws E_USAGE, naming the least that is enough, where the memory is not.
  CatalogSearch(const CatalogReader& catalog, Device& device, const CatalogSearchOptions& options);
  ~CatalogSearch();

  // As search(): exact, the same bytes with and without sketches. More than at_once() queries take more
  // memory than was planned.
  std::vector<std::vector<Neighbour>> nearest(const SearchQueries& queries, const SearchLimits& limits);

  int64_t at_once() const;     // queries in one call that the memory is enough for
  bool by_sketch() const;      // so far: damage ends it
  int64_t held_bytes() const;  // of sketches and codes
  int64_t measured() const;    // rows measured in full so far, over all queries, by sketch

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The catalog's codes alone, in blocks of a size that suits devices.
CodeSource code_source(const CatalogReader& catalog);

}  // namespace lookalike
