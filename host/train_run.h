// `lookalike train` from photos to a model's folder.
#pragma once

#include "host/commands/train.h"

namespace lookalike {

// Returns the process's exit code. A run cut at any moment, by any means, leaves a folder from which the same
// call goes on to the same weights and state. Throws Error; Interrupted once a stop was asked for and what
// was done is saved.
int run_training(const TrainCommandOptions& options);

}  // namespace lookalike
