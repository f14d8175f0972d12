// What shapes a training's result. Stored with the state and the model; a run that resumes must have the
// same.
#pragma once

#include <string>
#include <vector>

#include "engine/device.h"
#include "host/commands/train.h"
#include "host/dataset.h"
#include "host/settings.h"

namespace lookalike {

// Throws E_USAGE where the model's folder lies among the photos: previews would be photos of the next run.
void require_apart(const TrainCommandOptions& options);

struct TrainPhotos {
  PhotoList training, validation;
};

// As --validation asks: a share split off, or a list of its own.
TrainPhotos list_train_photos(const TrainCommandOptions& options);

// The share that the text of --validation gives, or -1 where it names photos. Throws E_USAGE for a number
// outside [0, 1).
double validation_share(const std::string& text);

// Photos refused of both lists: told, not compared.
inline constexpr const char* kRefusedSetting = "refused";

// All but the photos' contents, which are known only once they were read.
Settings train_settings(const TrainCommandOptions& options, const TrainPhotos& photos,
                        const DeviceFacts& device);

// require_same_settings for a model's folder. What cannot shape the result but in its last bits (instruction
// set, version) is not compared; the photos' contents only once they are among what is asked.
void require_same_training(const std::string& folder, const Settings& stored, const Settings& asked);

}  // namespace lookalike
