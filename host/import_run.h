// `lookalike import-codes`: a catalog of any float matrix.
#pragma once

#include <cstdint>
#include <string>

#include "host/progress.h"

namespace lookalike {

struct ImportCommandOptions {
  std::string matrix;   // .npy
  std::string ids;      // one a line
  std::string labels;   // one a line, a line may be empty; empty: no labels
  std::string catalog;  // folder that is written
  Talk talk;
  bool force = false;  // starts over where the folder holds another catalog
};

// Returns the process's exit code. Reads the matrix twice, in pieces: first to check it, so that a bad number
// costs nothing. A run cut short goes on when repeated. Memory: the ids and labels, and a piece.
int run_import(const ImportCommandOptions& options);

}  // namespace lookalike
