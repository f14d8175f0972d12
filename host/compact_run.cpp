#include "host/compact_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "engine/error.h"
#include "host/catalog_checks.h"
#include "host/catalog_search.h"
#include "host/interrupt.h"

namespace lookalike {

bool compact_is_fresh(const CatalogReader& catalog, int64_t numbers) {
  try {
    const auto compact = CompactFile::open(catalog.folder());
    return compact && compact->components() == numbers && compact->source() == catalog.codes_fingerprint();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kDamaged) throw;
    return false;  // made again
  }
}

void require_compactable(const CatalogReader& catalog, int64_t numbers) {
  require_items(catalog);
  require_finished(catalog);
  if (numbers < 1 || numbers > catalog.dimension()) {
    throw usage_error(
        fmt::format("--compact is {}, take 1 to {}, the numbers of a code", numbers, catalog.dimension()));
  }
}

std::string make_compact(const Talk& talk, const std::string& folder, int64_t numbers, ThreadPool& pool) {
  const CatalogReader catalog(folder);
  require_compactable(catalog, numbers);
  const int64_t rows = catalog.rows();
  Progress progress(talk, "compact", 3 * rows);
  progress.set_unit("codes");
  const CodeSource codes = code_source(catalog);
  const auto stop_if_asked = [&] {
    if (stop_signal() == 0) return;
    progress.message(fmt::format("stopped by SIG{}, the compact codes of {} are as they were",
                                 sigabbrev_np(stop_signal()), folder));
    throw Interrupted(stop_signal());
  };
  int64_t before = 0;  // rows of passes that are done
  const CodeSource watched = {rows, [&](const auto& visit) {
                                codes.for_each_block([&](int64_t first_row, std::span<const float> block) {
                                  progress.update(before + first_row, "");
                                  stop_if_asked();
                                  visit(first_row, block);
                                });
                                before += rows;
                              }};
  build_compact(folder, watched, catalog.dimension(), numbers, catalog.codes_fingerprint(), pool,
                stop_if_asked);

  const std::optional<CompactFile> made = CompactFile::open(folder);
  const auto without = std::ranges::count(made->compactor().projection().deviations, 0.0F);
  return fmt::format(
      "compact: {} of {}, of {}{}", counted(rows, "code"), counted(numbers, "number"),
      format_count(catalog.dimension()),
      without == 0
          ? ""
          : fmt::format("; {} of them are zero: along them the codes vary less than a millionth of the most",
                        format_count(without)));
}

}  // namespace lookalike
