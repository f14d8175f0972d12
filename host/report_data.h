// What a report shows, collected from a catalog.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/photo_loss.h"
#include "engine/search.h"
#include "host/catalog.h"
#include "host/evaluation.h"
#include "host/metrics.h"

namespace lookalike {

struct ReportItem {
  CatalogItem item;
  std::vector<uint8_t> picture;       // its thumbnail, a JPEG that decodes whole; empty where there is none
  std::vector<Neighbour> neighbours;  // of the whole catalog, nearest first, without the item itself
  PhotoLoss loss;                     // of the thumbnail; both NaN where there is none
};

// An original and what the network makes of it.
struct ReportPair {
  std::size_t item = 0;                 // of the report's items
  std::vector<uint8_t> reconstruction;  // JPEG of the catalog's code, decoded
};

struct ReportData {
  std::string catalog;  // last part of the folder's name
  CatalogTotals totals;
  bool complete = false;
  std::map<std::string, std::string> settings;  // the catalog's
  Model model;
  std::vector<MetricsRow> history;                               // empty where the catalog has none
  std::vector<Refusal> first_refusals;                           // at most kRefusalsShown
  std::vector<std::pair<std::string, int64_t>> refusal_reasons;  // with counts, the most frequent first
  std::vector<ReportItem> items;                                 // ascending rows
  std::map<int64_t, CatalogItem> others;  // rows that are neighbours and not among the items
  std::optional<Evaluation> evaluation;   // nothing where no two items share a label
  std::vector<ReportPair> spread;         // evenly spread over the items; add_pairs fills both
  std::vector<ReportPair> worst;          // largest loss above its floor first
};

inline constexpr std::size_t kRefusalsShown = 100;
inline constexpr std::size_t kPairsShown = 12;

struct ReportWork {
  int64_t items = 2000;  // at most; evenly spread rows where the catalog has more
  int64_t neighbours = 12;
  std::optional<double> collapse = {};  // distance that links near-duplicates, of which one is shown
};

// Called now and then with what is done of what, from 0 to `of`; throws to stop.
using ReportProgress = std::function<void(const char* task, int64_t done, int64_t of)>;

// Without pairs. Memory: codes of the items (12 KB each) and of one block, thumbnails, ids; for a moment all
// refusals.
ReportData collect_report(Device& device, const CatalogReader& catalog, const ReportWork& work,
                          const ReportProgress& progress);

// Keeps `count` >= 1 of the items, evenly spread; those dropped become others where they are neighbours.
// Before add_pairs.
void thin_report(ReportData& data, std::size_t count);

void add_pairs(Device& device, const CatalogReader& catalog, ReportData& data);

}  // namespace lookalike
