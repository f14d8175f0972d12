// A catalog as near-duplicates are looked for in it.
#pragma once

#include "engine/near_duplicates.h"
#include "host/catalog.h"

namespace lookalike {

// Of the kind that the catalog was opened on; the catalog must outlive it.
CodesOfRows codes_of_rows(const CatalogReader& catalog);

}  // namespace lookalike
