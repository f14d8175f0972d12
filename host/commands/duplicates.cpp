#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/error.h"
#include "engine/near_duplicates.h"
#include "host/bytes_text.h"
#include "host/catalog.h"
#include "host/catalog_checks.h"
#include "host/catalog_search.h"
#include "host/collapse.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/csv.h"
#include "host/interrupt.h"
#include "host/progress.h"
#include "host/recommendations.h"
#include "host/result_output.h"
#include "kernels/cpu/distance.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "List groups of items that look almost the same\n"
    "\n"
    "Examples:\n"
    "  lookalike duplicates -c catalog --within 0.5\n"
    "  lookalike duplicates -c catalog --within 0 -o copies.csv\n"
    "  lookalike duplicates -c catalog --codes compact --within 0.1 -o groups.jsonl\n"
    "\n"
    "Items at most --within from one another are linked, and a group is all that links lead to: every item "
    "has\n"
    "another one of its group that near, a chain may reach farther. A line for each item of a group: group "
    "(from\n"
    "1), representative (the group's first item in the catalog), id, distance (from the representative).\n"
    "search, recommend and report show one of each group with --collapse.\n";

// What memory is planned for; few items have more that near.
constexpr int64_t kQueriesAtOnce = 1024;
constexpr int64_t kNeighboursPlanned = 64;

struct DuplicatesCommandOptions {
  std::string catalog;       // folder
  double within = 0;         // Euclidean distance
  std::string output = "-";  // .csv, .jsonl, or "-" for CSV on standard output
  CodeKind codes = CodeKind::kPlain;
  std::string device = "auto";  // auto, cpu or cuda
  int threads = 0;              // 0: one for each core
  std::string progress = "auto";
  bool quiet = false;  // results and errors alone
};

std::string group_lines(const CatalogReader& catalog, int64_t number, const std::vector<int64_t>& rows,
                        TableFormat format) {
  const auto d = static_cast<std::size_t>(catalog.dimension());
  std::vector<float> first(d), code(d);
  catalog.read_codes(rows.front(), first);
  const std::string representative = catalog.item(rows.front()).id;
  std::string text;
  for (const int64_t row : rows) {
    catalog.read_codes(row, code);
    const double distance = std::sqrt(cpu::squared_distance(first.data(), code.data(), catalog.dimension()));
    const std::string id = catalog.item(row).id;
    if (format == TableFormat::kCsv) {
      text += fmt::format("{},{},{},{}\n", number, quoted_csv_field(representative), quoted_csv_field(id),
                          distance);
    } else {
      const nlohmann::ordered_json line = {{"group", number},
                                           {"representative", bytes_to_text(representative)},
                                           {"id", bytes_to_text(id)},
                                           {"distance", distance}};
      text += line.dump() + '\n';
    }
  }
  return text;
}

int run_duplicates(const DuplicatesCommandOptions& options) {
  watch_signals();
  const TableFormat format = table_format(options.output);
  const Talk talk = {parse_progress_style(options.progress), options.quiet};
  require_within("--threads", options.threads, 0, kMaxThreads);
  const CatalogReader catalog(options.catalog, options.codes);
  const int64_t rows = catalog.rows();
  require_items(catalog);
  const auto device = make_device(options.device, options.threads, nullptr);
  ResultOutput output(options.output);

  Progress progress(talk, "duplicates", rows);
  if (const std::string text = unfinished_warning(catalog, "compared"); !text.empty()) {
    progress.message(text);
  }
  const auto watch = [&](int64_t items) {
    progress.update(items, "");
    if (stop_signal() == 0) return;
    progress.message(output.stopped_text(stop_signal()));
    throw Interrupted(stop_signal());
  };
  CatalogSearchOptions how;
  how.threads = options.threads;
  how.queries = rows;
  how.at_once = std::min(kQueriesAtOnce, rows);
  how.wish.k = std::min(kNeighboursPlanned, rows);
  how.beside = near_duplicates_bytes(rows, 0);
  how.notice = [&](const std::string& text) { progress.message(text); };
  int64_t looked = 0;
  how.watch = [&](double) {
    watch(looked);
    return true;
  };
  CatalogSearch search(catalog, *device, how);
  NearDuplicates duplicates(searched_by(search), codes_of_rows(catalog), rows, catalog.dimension(),
                            options.within);
  duplicates.find_all([&](int64_t items) { watch(looked = items); });

  if (format == TableFormat::kCsv) output.write("group,representative,id,distance\n");
  int64_t number = 0, items = 0;
  for (const std::vector<int64_t>& group : duplicates.groups()) {
    output.write(group_lines(catalog, ++number, group, format));
    items += std::ssize(group);
    watch(rows);
  }
  output.commit();
  progress.message(fmt::format("{} of {} {} in {}; one of each group leaves {}", format_count(items),
                               counted(rows, "item"), items == 1 ? "is" : "are", counted(number, "group"),
                               format_count(rows - items + number)));
  if (output.is_file()) progress.message("groups: " + options.output);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_duplicates_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<DuplicatesCommandOptions>();
  DuplicatesCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("duplicates", kDescription);
  add_catalog_flag(*command, options.catalog);
  add_radius_flag(*command, "--within", options.within, "Distance at which two items are linked")->required();
  command
      ->add_option("-o,--output", options.output,
                   "Table to write: .csv or .jsonl; - is CSV on standard output")
      ->check(not_empty)
      ->capture_default_str()
      ->type_name("FILE");
  add_codes_flag(*command, options.codes);
  add_device_flags(*command, options.device, options.threads);
  add_progress_flags(*command, options.progress, options.quiet);
  command->callback([typed, &run] { run = [typed] { return run_duplicates(*typed); }; });
}

}  // namespace lookalike
