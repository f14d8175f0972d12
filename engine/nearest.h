// Exact nearest neighbours on the CPU: Device::nearest of CpuDevice.
#pragma once

#include "engine/device.h"

namespace lookalike {

// Merges the block's rows into each query's k best. `threads` >= 1; results do not depend on it.
void nearest_on_cpu(const SearchBlock& block, TopK& best, int threads);

}  // namespace lookalike
