#include "host/catalog_checks.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "host/progress.h"

namespace lookalike {

void require_items(const CatalogReader& catalog) {
  if (catalog.rows() == 0)
    throw no_input_error(catalog.folder() + " has no photo yet, run encode to its end");
}

void require_finished(const CatalogReader& catalog) {
  if (!catalog.complete())
    throw no_input_error(catalog.folder() + " is not finished, run encode to its end first");
}

std::string unfinished_warning(const CatalogReader& catalog, const char* done) {
  if (catalog.complete()) return {};
  return fmt::format("warning: {} is not finished, {} of {} photos are {}", catalog.folder(),
                     format_count(catalog.rows()), format_count(catalog.totals().listed), done);
}

}  // namespace lookalike
