// `lookalike encode` from photos and a model to a catalog.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/device.h"
#include "host/dataset.h"
#include "host/encode_pipeline.h"
#include "host/model_file.h"
#include "host/photo.h"
#include "host/photo_table.h"
#include "host/progress.h"
#include "host/refusals.h"
#include "host/settings.h"

namespace lookalike {

struct EncodeCommandOptions {
  std::string photos;            // folder, list file, .csv, or "-" for a list on standard input
  std::optional<Labels> labels;  // none: the CSV's column where there is one, else the parent folder
  PhotoLimits limits;
  RefusalLimit max_bad;         // checked once the catalog is whole
  std::string model;            // folder or file
  std::string catalog;          // folder that is written
  std::string device = "auto";  // auto, cpu or cuda
  Precision precision = Precision::kFloat32;
  int threads = 0;            // that decode, and that the CPU encodes with; 0: one for each core
  int64_t batch_size = 128;   // photos a call of the device
  int64_t shard_rows = 2048;  // photos of the list that make a shard: what a kill can cost
  int64_t compact = 0;        // numbers of the compact codes that are made at the end; 0: none
  Talk talk;
  bool force = false;  // starts over where the folder holds another catalog
};

// What encode works with, all but the catalog. The constructor throws Error for a model, device or list of
// photos that cannot be used.
struct EncodeJob {
  explicit EncodeJob(const EncodeCommandOptions& options);

  int64_t listed() const { return photos.size(); }

  Model model;
  std::string reason;              // for the device that was taken
  std::unique_ptr<Device> device;  // with the model's weights
  PhotoTable photos;
  Settings settings;  // that the catalog keeps
};

EncodePipelineOptions pipeline_options(const EncodeCommandOptions& options, const Model& model);

// Returns the process's exit code. A run cut at any moment, by any means, leaves whole shards, and the same
// call goes on after them to the same catalog. Throws Error; Interrupted once a stop was asked for.
int run_encoding(const EncodeCommandOptions& options);

}  // namespace lookalike
