// `lookalike train` from photos to a model's folder.
#pragma once

#include "host/byte_cache.h"
#include "host/commands/train.h"

namespace lookalike {

// Returns the process's exit code. A run cut at any moment, by any means, leaves a folder from which the same
// call goes on to the same weights and state. Throws Error; Interrupted once a stop was asked for and what
// was done is saved.
int run_training(const TrainCommandOptions& options);

// As the run reads its photos, within so many bytes of memory.
ByteCacheOptions byte_cache_options(const TrainCommandOptions& options, int64_t memory_bytes);

// What decoded photos may take: --memory, or half of what is free.
int64_t memory_for_photos(const TrainCommandOptions& options);

}  // namespace lookalike
