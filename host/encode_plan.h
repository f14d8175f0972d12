// `lookalike encode --dry-run`.
#pragma once

#include "host/encode_run.h"

namespace lookalike {

// Prints what run_encoding would do with the same options: photos, bytes on disk and in memory, and the time,
// from a second of the same work on some of the photos. Writes nothing. Throws what run_encoding would throw
// before its work. Returns the process's exit code.
int plan_encoding(const EncodeCommandOptions& options);

}  // namespace lookalike
