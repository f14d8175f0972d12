#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/catalog.h"
#include "host/catalog_checks.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/interrupt.h"
#include "host/progress.h"
#include "host/sketch_build.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Make what search and recommend find neighbours faster with\n"
    "\n"
    "Examples:\n"
    "  lookalike index -c catalog\n"
    "\n"
    "encode does this at the end of 8,192 photos or more. CATALOG/sketch/ gets short versions of the codes, "
    "made from them alone and "
    "anew\n"
    "each time. Results are the same with and without; a small catalog gets none.\n";

struct IndexCommandOptions {
  std::string catalog;  // folder
  int threads = 0;      // 0: one for each core
  std::string progress = "auto";
  bool quiet = false;  // errors alone
};

int run_index(const IndexCommandOptions& options) {
  watch_signals();
  const Talk talk = {parse_progress_style(options.progress), options.quiet};
  require_within("--threads", options.threads, 0, kMaxThreads);
  { const CatalogReader there(options.catalog); }  // before a lock would make the folder
  const FolderLock lock(options.catalog);
  const CatalogReader catalog(options.catalog);
  require_finished(catalog);
  Progress progress(talk, "index", catalog.rows());
  const SketchReport made = make_sketches(catalog, options.threads, true, progress);
  switch (made.outcome) {
    case SketchOutcome::kStopped:
      progress.message(
          fmt::format("stopped by SIG{}, the catalog is as it was", sigabbrev_np(stop_signal())));
      throw Interrupted(stop_signal());
    case SketchOutcome::kNone:
      progress.message(
          fmt::format("{} items are searched as fast without sketches", format_count(catalog.rows())));
      break;
    case SketchOutcome::kNonePays:
      progress.message(
          fmt::format("these {} items are too unlike one another: they are searched as fast "
                      "without sketches",
                      format_count(catalog.rows())));
      break;
    case SketchOutcome::kFresh:
    case SketchOutcome::kMade:
      progress.message(fmt::format("{}, {} each, {:.1f} MB in {}", counted(catalog.rows(), "item"),
                                   counted(made.numbers, "number"), static_cast<double>(made.bytes) / 1e6,
                                   format_duration(progress.seconds())));
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_index_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<IndexCommandOptions>();
  IndexCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("index", kDescription);
  add_catalog_flag(*command, options.catalog);
  add_number(*command, "--threads", options.threads, "N",
             "0: one for each core; results do not depend on it");
  add_progress_flags(*command, options.progress, options.quiet);
  command->callback([typed, &run] { run = [typed] { return run_index(*typed); }; });
}

}  // namespace lookalike
