// Makes a catalog's compact codes: what `lookalike compact` does, and `encode --compact` at its end.
#pragma once

#include <cstdint>
#include <string>

#include "engine/thread_pool.h"
#include "host/catalog.h"
#include "host/compact_file.h"
#include "host/progress.h"

namespace lookalike {

// Throws E_USAGE for more numbers than the codes have, E_NO_INPUT for a catalog that is not finished or has
// no row.
void require_compactable(const CatalogReader& catalog, int64_t numbers);

// Of `numbers` each, under the catalog's lock, which the caller holds. Returns what was made, in a line to be
// said. Throws as require_compactable does; Interrupted once a stop was asked for, with what was there as it
// was.
std::string make_compact(const Talk& talk, const std::string& catalog, int64_t numbers, ThreadPool& pool);

// Whether the catalog's compact codes are of its codes and have so many numbers.
bool compact_is_fresh(const CatalogReader& catalog, int64_t numbers);

}  // namespace lookalike
