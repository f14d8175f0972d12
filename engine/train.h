// The training loop over any device and any source of image bytes. It owns no files: what must survive is
// handed to the observer, which stores it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/device.h"

namespace lookalike {

struct TrainOptions {
  int64_t epochs = 20;
  int64_t batch_size = 32;  // images; the last batch of an epoch may be smaller
  double learning_rate = 1e-3;
  uint64_t seed = 1;
  int64_t patience = 0;  // epochs without a better validation loss before stopping; 0: never
};

// Everything a run is at one moment, beside the options. The device holds parameters and optimizer.
struct TrainPosition {
  int64_t epoch = 0;          // epochs finished
  int64_t position = 0;       // images of the running epoch already trained on
  double epoch_loss_sum = 0;  // loss x images over those
  std::vector<float> best_parameters;
  double best_loss = 0;
  int64_t best_epoch = 0;  // 0: none yet
};

struct EpochResult {
  int64_t epoch = 0;           // counted from 1
  double loss = 0;             // mean over the epoch's batches as trained
  double validation_loss = 0;  // NaN where there is no validation
  bool best = false;
};

struct TrainObserver {
  // After each step; returning true asks to stop: on_pause follows, then train returns.
  std::function<bool(const TrainPosition&, double batch_loss)> after_step;
  // After each epoch, weights finite: store the state.
  std::function<void(const TrainPosition&, const EpochResult&)> after_epoch;
  // Stopped in the middle of an epoch: store the state.
  std::function<void(const TrainPosition&)> on_pause;
  // May be empty. Before each batch of the validation; what it throws ends the run there.
  std::function<void()> while_validating = {};
};

// Where the device holds the images (Device::hold): image i has number `training` or `validation` + i there.
// -1: it does not.
struct HeldFrom {
  int64_t training = -1, validation = -1;
};

enum class TrainEnd { kFinished, kPatience, kPaused };

// How the run ended, if nothing is left to do at `position`.
std::optional<TrainEnd> train_ended(const TrainPosition& position, const TrainOptions& options);

// Goes on from `position`. The same options, seed, images and device give the same weights to the byte
// wherever the run was cut and taken up. Throws E_NON_FINITE, naming the epoch beside what the device names,
// before an observer sees numbers that are not finite; E_NO_INPUT for an empty training source. A pause comes
// after any step, the last of an epoch included: the epoch then ends in the next run.
TrainEnd train(Device& device, const ImageSource& training, const ImageSource& validation,
               const TrainOptions& options, TrainPosition& position, const TrainObserver& observer,
               const HeldFrom& held = {});

// Mean loss over all images of a source, in fixed batches; NaN for none. before_batch may be empty; held_from
// as HeldFrom has it.
double mean_loss(Device& device, const ImageSource& images, int64_t batch_size,
                 const std::function<void()>& before_batch = {}, int64_t held_from = -1);

}  // namespace lookalike
