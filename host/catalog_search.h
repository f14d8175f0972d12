// The one way a catalog is searched: by its sketches where it has them and the device is the CPU, else by the
// plain scan. Results are the same to the bit; speed and memory are not.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/search.h"
#include "host/catalog.h"

namespace lookalike {

inline constexpr int64_t kAllNeighbours = std::numeric_limits<int64_t>::max();

// Which neighbours a user wants.
struct NeighbourWish {
  int64_t k = 10;                                         // at most
  double most = std::numeric_limits<double>::infinity();  // squared distance beyond which none is wanted
  std::string where = {};               // condition that they fulfil (host/where_filter.h); empty: all do
  bool exclude_label_of_query = false;  // none with the label of a query that is an item and has one
  int64_t memory = 0;  // bytes that the process may take at its peak; 0: half of what is free
};

// k and radius of a wish.
SearchLimits limits_of(const NeighbourWish& wish);

// The largest squared distance whose root is at most `distance`, finite and not negative.
double squared_limit(double distance);

struct CatalogSearchOptions {
  int threads = 0;      // 0: one for each core
  int64_t queries = 1;  // that will be asked for in all; many make it hold what fits
  int64_t at_once = 1;  // of them in one call, at most
  NeighbourWish wish = {};
  int64_t beside = 0;  // bytes that the caller takes beside the search, of the same memory
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

  // As search() among the rows that the wish allows: exact, the same bytes with and without sketches. The
  // second has limits of its own beside the wish's filters. More than at_once() queries, or more neighbours
  // than the wish's, take more memory than was planned.
  std::vector<std::vector<Neighbour>> nearest(const SearchQueries& queries);
  std::vector<std::vector<Neighbour>> nearest(const SearchQueries& queries, const SearchLimits& limits);

  // The wish's neighbours of every row among the others: what nearest() gives for the row's code and number,
  // the same bytes, in about half the time of asking for each row. Nothing, at once, where sketches, filters,
  // the device or the memory make asking the way to go. The watch's share is that of the whole.
  std::optional<TopK> nearest_of_all();

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
