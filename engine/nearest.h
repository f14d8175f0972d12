// Exact nearest neighbours on the CPU: Device::nearest of CpuDevice.
#pragma once

#include "engine/device.h"
#include "engine/thread_pool.h"

namespace lookalike {

// Merges the block's rows into each query's k best. Results do not depend on the number of threads.
void nearest_on_cpu(const SearchBlock& block, TopK& best, ThreadPool& pool);

}  // namespace lookalike
