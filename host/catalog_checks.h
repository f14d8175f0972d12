// What a command says of a catalog before it reads it.
#pragma once

#include <string>

#include "host/catalog.h"

namespace lookalike {

// Throws E_NO_INPUT where the catalog has no item.
void require_items(const CatalogReader& catalog);

// Throws E_NO_INPUT where encode has not come to the end of the catalog.
void require_finished(const CatalogReader& catalog);

// "warning: shop.catalog is not finished, 3 of 9 photos are searched", `done` being "searched"; empty where
// the catalog is finished.
std::string unfinished_warning(const CatalogReader& catalog, const char* done);

}  // namespace lookalike
