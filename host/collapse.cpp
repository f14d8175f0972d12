#include "host/collapse.h"

namespace lookalike {

CodesOfRows codes_of_rows(const CatalogReader& catalog) {
  return [&catalog](std::span<const int64_t> rows, std::span<float> codes) {
    const auto d = static_cast<std::size_t>(catalog.dimension());
    for (std::size_t i = 0; i < rows.size(); ++i) catalog.read_codes(rows[i], codes.subspan(i * d, d));
  };
}

}  // namespace lookalike
