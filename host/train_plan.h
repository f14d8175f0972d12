// `lookalike train --dry-run`.
#pragma once

#include "host/commands/train.h"

namespace lookalike {

// Prints what run_training would do with the same options: photos, bytes on disk and in memory, and the time,
// from a second or two of the same work on some of the photos. Writes nothing. Throws what run_training would
// throw before its work. Returns the process's exit code.
int plan_training(const TrainCommandOptions& options);

}  // namespace lookalike
