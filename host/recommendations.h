// Every item of a catalog with its nearest others, as a table.
//
// CSV: a header, then id,rank,neighbour_id,distance; rank counts from 1; fields quoted as RFC 4180 has it;
// ids byte for byte. JSON lines: an object of the same names a line; ids that are not UTF-8 as bytes_text.h
// says. Distances are Euclidean, in the shortest digits that read back as the same double.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/device.h"
#include "host/catalog.h"
#include "host/catalog_search.h"

namespace lookalike {

enum class TableFormat { kCsv, kJsonLines };

// By the ending .csv or .jsonl; "-" is CSV. Throws E_USAGE for another ending.
TableFormat table_format(const std::string& output);

struct RecommendationOptions {
  NeighbourWish wish = {};
  std::optional<double> collapse = {};  // distance that links near-duplicates, of which one is shown
  TableFormat format = TableFormat::kCsv;
  int64_t block_queries = 4096;  // items compared in one pass over the catalog, fewer where memory is short
  int threads = 0;               // 0: one for each core
};

struct RecommendationCallbacks {
  std::function<void(std::string_view text)> write;          // whole lines, in order
  std::function<bool(int64_t items)> report = {};            // items done; false stops
  std::function<void(const std::string& text)> notice = {};  // as CatalogSearchOptions has it
};

struct RecommendationResult {
  bool stopped = false;   // by report
  int64_t lines = 0;      // of the table, without its header
  int64_t measured = -1;  // rows measured in full, over all items; -1: the plain scan
};

// Items in row order; an item is never its own neighbour.
RecommendationResult write_recommendations(Device& device, const CatalogReader& catalog,
                                           const RecommendationOptions& options,
                                           const RecommendationCallbacks& callbacks);

}  // namespace lookalike
