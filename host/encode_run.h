// `lookalike encode` from photos and a model to a catalog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/dataset.h"
#include "host/progress.h"

namespace lookalike {

struct EncodeCommandOptions {
  std::string photos;            // folder, list file, .csv, or "-" for a list on standard input
  std::optional<Labels> labels;  // none: the CSV's column where there is one, else the parent folder
  std::string model;             // folder or file
  std::string catalog;           // folder that is written
  std::string device = "auto";   // auto, cpu or cuda
  int threads = 0;               // that decode, and that the CPU encodes with; 0: one for each core
  int64_t batch_size = 128;      // photos a call of the device
  int64_t shard_rows = 2048;     // photos of the list that make a shard: what a kill can cost
  Talk talk;
  bool force = false;  // starts over where the folder holds another catalog
};

// Returns the process's exit code. A run cut at any moment, by any means, leaves whole shards, and the same
// call goes on after them to the same catalog. Throws Error; Interrupted once a stop was asked for.
int run_encoding(const EncodeCommandOptions& options);

}  // namespace lookalike
