// MODEL/model.safetensors: the weights and how they were made; MODEL/training.safetensors: what a resumed run
// needs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/device.h"
#include "host/photo.h"

namespace lookalike {

struct Model {
  std::vector<float> parameters;  // (kParameterCount)
  PhotoRule rule;
  int64_t epoch = 0;    // epochs trained when these weights were the best
  double loss = 0;      // their validation loss; training loss where there is no validation
  std::string dataset;  // content fingerprint of the training photos
  std::map<std::string, std::string> settings;  // the training's settings, as `name` -> text
};

// path: a file, or a folder holding model.safetensors. Throws E_DAMAGED naming the tensor or metadata key:
// wrong architecture, version, shape, a weight that is not finite, channel order other than BGR.
Model read_model(const std::string& path);
void write_model(const std::string& file, const Model& model);

// XXH3-128 over parameters and photo rule, 32 hexadecimal digits: what a catalog and its queries must share.
std::string model_fingerprint(const Model& model);

struct TrainingState {
  std::vector<float> parameters;  // current, not best
  OptimizerState optimizer;
  int64_t epoch = 0;          // epochs finished
  int64_t position = 0;       // images of the running epoch already trained on
  double epoch_loss_sum = 0;  // loss x images over those
  std::vector<float> best_parameters;
  double best_loss = 0;
  int64_t best_epoch = 0;                       // 0: none yet
  std::map<std::string, std::string> settings;  // must be those of the command that resumes
};
TrainingState read_training_state(const std::string& file);
void write_training_state(const std::string& file, const TrainingState& state);

}  // namespace lookalike
