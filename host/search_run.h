// `lookalike search`: what looks like some photos or items.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/catalog.h"
#include "host/catalog_search.h"
#include "host/progress.h"

namespace lookalike {

struct SearchCommandOptions {
  std::vector<std::string> queries;  // ids of the catalog or photo files, in this order of trial
  std::string catalog;               // folder
  NeighbourWish wish = {};
  bool include_self = false;  // keep an item in its own result
  CodeKind codes = CodeKind::kPlain;
  std::optional<double> collapse;  // distance that links near-duplicates, of which one is shown
  bool json = false;               // JSON lines in place of the table
  std::string picture;             // PNG file that is written; empty: none
  std::string device = "auto";     // auto, cpu or cuda
  int threads = 0;                 // 0: one for each core
  Talk talk{ProgressStyle::kPlain};
};

// Returns the process's exit code. Throws Error.
int run_search(const SearchCommandOptions& options);

}  // namespace lookalike
