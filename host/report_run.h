// `lookalike report`: a catalog as a page to look through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/catalog.h"
#include "host/progress.h"

namespace lookalike {

struct ReportCommandOptions {
  std::string catalog;  // folder
  std::string output;   // .html file
  int64_t k = 12;       // neighbours an item
  CodeKind codes = CodeKind::kPlain;
  std::optional<double> collapse;  // distance that links near-duplicates, of which one is shown
  int64_t items = 2000;            // in the page, at most
  std::string device = "auto";     // auto, cpu or cuda
  int threads = 0;                 // 0: one for each core
  Talk talk;
};

// Returns the process's exit code. Throws Error; Interrupted once a stop was asked for, with the output as it
// was.
int run_report(const ReportCommandOptions& options);

}  // namespace lookalike
