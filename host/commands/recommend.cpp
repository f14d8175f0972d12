#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/catalog_checks.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/commands/neighbour_flags.h"
#include "host/interrupt.h"
#include "host/progress.h"
#include "host/recommendations.h"
#include "host/result_output.h"
#include "host/shell_word.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Write every product's nearest others as a table\n"
    "\n"
    "Examples:\n"
    "  lookalike recommend -c catalog -o recommendations.csv\n"
    "  lookalike recommend -c catalog -k 20 -o recommendations.jsonl\n"
    "  lookalike recommend -c catalog -o - | head\n"
    "  lookalike recommend -c catalog -o similar.csv --within 3.5 --exclude-label-of-query\n"
    "\n"
    "A line for each item and neighbour: id, rank (from 1), neighbour_id, distance. An item is never its "
    "own\n"
    "neighbour. CSV has ids byte for byte; in JSON lines, text that is not UTF-8 is written as hex: and the\n"
    "digits of its bytes. The file appears when it is whole.\n";

struct RecommendCommandOptions {
  std::string catalog;  // folder
  std::string output;   // .csv, .jsonl, or "-" for CSV on standard output
  NeighbourFlags wish;
  CodeKind codes = CodeKind::kPlain;
  std::optional<double> collapse;  // distance that links near-duplicates, of which one is shown
  std::string device = "auto";     // auto, cpu or cuda
  int threads = 0;                 // 0: one for each core
  std::string progress = "auto";
  bool quiet = false;  // errors alone
};

// How far the sketches got: of rows x rows, so many distances were measured.
std::string measured_text(int64_t measured, int64_t rows, const char* one) {
  if (measured < 0) return "";
  return fmt::format("; of each, {} of {} measured in full",
                     format_count(std::llround(static_cast<double>(measured) / static_cast<double>(rows))),
                     counted(rows, one));
}

int run_recommend(const RecommendCommandOptions& options) {
  watch_signals();
  RecommendationOptions table;
  table.wish = take_neighbour_flags(options.wish);
  table.threads = options.threads;
  table.collapse = options.collapse;
  table.format = table_format(options.output);
  const Talk talk = {parse_progress_style(options.progress), options.quiet};
  require_within("--threads", options.threads, 0, kMaxThreads);

  const CatalogReader catalog(options.catalog, options.codes);
  const int64_t rows = catalog.rows();
  require_items(catalog);
  const auto device = make_device(options.device, options.threads, nullptr);
  // Before the work: a name that cannot be written says so at once.
  ResultOutput output(options.output);

  Progress progress(talk, "recommend", rows);
  const char* const one = catalog.has_model() ? "photo" : "code";
  if (!catalog.has_model()) progress.set_unit("codes");
  if (const std::string text = unfinished_warning(catalog, "compared"); !text.empty()) {
    progress.message(text);
  }
  if (table.wish.k != kAllNeighbours && table.wish.k > rows - 1) {
    progress.message(
        fmt::format("the catalog has {}, so {} each", counted(rows, one), counted(rows - 1, "neighbour")));
  }
  const RecommendationResult result =
      write_recommendations(*device, catalog, table,
                            {[&](std::string_view text) { output.write(text); },
                             [&](int64_t items) {
                               progress.update(items, "");
                               return stop_signal() == 0;
                             },
                             [&](const std::string& text) { progress.message(text); }});
  if (result.stopped) {
    progress.message(output.stopped_text(stop_signal()));
    throw Interrupted(stop_signal());
  }
  output.commit();
  progress.message(
      fmt::format("{} of {}; {} {}s/s{}", counted(result.lines, "neighbour"), counted(rows, one),
                  format_count(std::llround(static_cast<double>(rows) / std::max(progress.seconds(), 1e-9))),
                  one, measured_text(result.measured, rows, one)));
  if (output.is_file()) {
    progress.message("recommendations: " + options.output);
    // An id is no path: one that begins with a dash goes behind --.
    const std::string id = catalog.item(0).id;
    progress.message(fmt::format("next: lookalike search -c {} {}{}", shell_path(options.catalog),
                                 id.starts_with('-') ? "-- " : "", shell_word(id)));
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_recommend_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<RecommendCommandOptions>();
  RecommendCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("recommend", kDescription);
  add_catalog_flag(*command, options.catalog);
  command
      ->add_option("-o,--output", options.output,
                   "Table to write: .csv or .jsonl; - is CSV on standard output")
      ->required()
      ->check(not_empty)
      ->type_name("FILE");
  add_neighbour_flags(*command, options.wish, 10, "an item");
  add_codes_flag(*command, options.codes);
  add_collapse_flag(*command, options.collapse);
  add_device_flags(*command, options.device, options.threads);
  add_progress_flags(*command, options.progress, options.quiet);
  command->callback([typed, &run] { run = [typed] { return run_recommend(*typed); }; });
}

}  // namespace lookalike
