// Photos of a catalog that is gone on with, found below another folder than before.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "host/photo.h"

namespace lookalike {

// Reads again, below `root`, every photo of the catalog's finished shards. Throws E_USAGE naming the first
// whose bytes are not those that were encoded, or that was refused and now is none to refuse. report is
// called with the photos done; returning false stops, by throwing Interrupted.
void require_same_photos(const std::string& catalog, const std::string& root, const PhotoRule& rule,
                         const PhotoLimits& limits, const std::function<bool(int64_t done)>& report);

}  // namespace lookalike
