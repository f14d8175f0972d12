// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace lookalike {

// Bytes the kernel can give without swapping, within the control group's limit where there is one. 1 GiB
// where neither is known.
int64_t free_memory_bytes();

}  // namespace lookalike
