#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/atomic_file.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/compact_run.h"
#include "host/interrupt.h"
#include "host/shell_word.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Make compact codes beside a catalog's own: fewer numbers, better neighbours\n"
    "\n"
    "Examples:\n"
    "  lookalike compact -c catalog\n"
    "  lookalike compact -c catalog --compact 64\n"
    "  lookalike recommend -c catalog --codes compact -o recommendations.csv\n"
    "\n"
    "Codes are centred, turned to their principal directions, whitened (each number divided by its standard\n"
    "deviation over the catalog) and scaled to unit length. They lie in CATALOG/compact with the projection\n"
    "that made them; photos that are searched for go through the same one. The catalog's own codes stay.\n";

struct CompactCommandOptions {
  std::string catalog;                   // folder
  int64_t numbers = kCompactNumbers;     // of a compact code
  CLI::Option* numbers_given = nullptr;  // where it is not, codes that are narrower keep all theirs
  int threads = 0;                       // 0: one for each core
  std::string progress = "auto";
  bool quiet = false;  // errors alone
};

int run_compact(const CompactCommandOptions& options) {
  watch_signals();
  require_within("--threads", options.threads, 0, kMaxThreads);
  const Talk talk = {parse_progress_style(options.progress), options.quiet};
  const CatalogReader before(options.catalog);
  const int64_t numbers =
      options.numbers_given->count() > 0 ? options.numbers : std::min(options.numbers, before.dimension());
  require_compactable(before, numbers);
  const FolderLock lock(options.catalog);
  ThreadPool pool(options.threads > 0 ? options.threads : usable_cores());
  say(talk, "compact", make_compact(talk, options.catalog, numbers, pool));
  say(talk, "compact",
      fmt::format("next: lookalike recommend -c {} --codes compact -o recommendations.csv",
                  shell_path(options.catalog)));
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_compact_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<CompactCommandOptions>();
  CompactCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("compact", kDescription);
  add_catalog_flag(*command, options.catalog);
  options.numbers_given = add_number(*command, "--compact", options.numbers, "N",
                                     "Numbers of a compact code; unless given, no more than a code has");
  add_number(*command, "--threads", options.threads, "N",
             "0: one for each core; results do not depend on it");
  add_progress_flags(*command, options.progress, options.quiet);
  command->callback([typed, &run] { run = [typed] { return run_compact(*typed); }; });
}

}  // namespace lookalike
