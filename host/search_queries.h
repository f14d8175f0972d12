// What a search is asked for: items of the catalog, or photos that need not be in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/device.h"
#include "host/catalog.h"

namespace lookalike {

struct QuerySet {
  std::vector<std::string> names;            // (Q) as asked for
  std::vector<int64_t> rows;                 // (Q) of the catalog; -1: a photo from outside
  std::vector<float> codes;                  // (Q, D) of the catalog's kind
  std::vector<float> plain;                  // (Q, D) of the plain kind, what a network decodes
  std::vector<std::vector<uint8_t>> pixels;  // (Q) of photos from outside (150, 150, 3); empty for items
  std::string warning;  // photos were not encoded as the catalog's were, and what it means
};

// Each name is the item with that id or, where the catalog has none, a photo file, encoded with the catalog's
// model, which `device` must hold, and in the catalog's precision: where the device lacks fp16, in float32
// and with a warning. A file that the catalog was made from, its bytes unchanged, counts as its item. Throws
// E_USAGE for what is neither, E_NO_INPUT for a photo that cannot be used.
QuerySet resolve_queries(const std::vector<std::string>& names, const CatalogReader& catalog, Device& device);

}  // namespace lookalike
