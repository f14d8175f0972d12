#include "engine/huge_pages.h"

#include <sys/mman.h>

namespace lookalike {

void prefer_huge_pages(const void* begin, int64_t bytes) {
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const auto at = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = (at + kPage - 1) / kPage * kPage;
  const uintptr_t end = (at + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  if (end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

}  // namespace lookalike
