// How much memory this process has, and may still take.
#pragma once

#include <cstdint>

namespace lookalike {

// Bytes the kernel can give without swapping, within the control group's limit where there is one. 1 GiB
// where neither is known.
int64_t free_memory_bytes();

// Bytes of this process in memory now; 0 where that is not known.
int64_t resident_bytes();

}  // namespace lookalike
