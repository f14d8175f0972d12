// Large arrays that are read at random: with pages of 2 MB a row costs no walk through the page table.
#pragma once

#include <cstdint>

namespace lookalike {

// Asks for them in the whole pages within `bytes` from `begin` on, before these are written; so no more
// memory is taken than without. Where the system has none, nothing changes.
void prefer_huge_pages(const void* begin, int64_t bytes);

}  // namespace lookalike
