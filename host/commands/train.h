// What `lookalike train` is asked to do.
#pragma once

#include <cstdint>
#include <string>

#include "engine/train.h"
#include "host/photo.h"
#include "host/progress.h"
#include "host/refusals.h"

namespace lookalike {

struct TrainCommandOptions {
  std::string photos;     // folder, list file, .csv, or "-" for a list on standard input
  std::string model;      // folder that is written
  TrainOptions training;  // epochs, images a batch, learning rate, seed, patience in epochs
  std::string validation =
      "0.1";       // share of the photos, 0 <= share < 1, or other photos, given as `photos` is
  PhotoRule rule;  // how a photo becomes square
  PhotoLimits limits;
  RefusalLimit max_bad;         // checked when the photos are read, before the first step
  std::string device = "auto";  // auto, cpu or cuda
  int threads = 0;              // 0: every core
  int64_t memory_bytes = 0;     // for decoded photos; 0: half of what is free
  Talk talk;
  bool force = false;  // starts over where the folder holds another run
};

// Throws E_USAGE, naming the flag, for a value out of range.
void check_train_options(const TrainCommandOptions& options);

}  // namespace lookalike
