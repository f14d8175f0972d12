#include "host/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/progress.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "List the photos that a catalog could not use, each with its reason\n"
    "\n"
    "Examples:\n"
    "  lookalike refusals -c catalog\n"
    "  lookalike refusals -c catalog --json | jq -r .reason | sort | uniq -c\n"
    "  lookalike refusals -c catalog --csv > refused.csv\n"
    "\n"
    "--json writes one object a line, --csv a table, both with id, path and reason. CSV has names byte for\n"
    "byte; in JSON, text that is not UTF-8 is written as hex: and the digits of its bytes. The exit code is "
    "0\n"
    "whether photos were refused or not: encode --max-bad judges that.\n";

constexpr std::size_t kWidestReason = 60;

struct RefusalsCommandOptions {
  std::string catalog;             // folder
  bool json = false, csv = false;  // in place of the table
  bool quiet = false;              // results and errors alone
};

// Reasons side by side, the path behind, where it may be as long as it is.
std::string table(const std::vector<Refusal>& refusals) {
  std::size_t width = 0;
  for (const Refusal& refusal : refusals) width = std::max(width, printable(refusal.reason).size());
  width = std::min(width, kWidestReason);
  std::string text;
  for (const Refusal& refusal : refusals) {
    text += fmt::format("{:<{}}  {}", printable(refusal.reason), width, printable(refusal.path));
    if (!refusal.path.ends_with(refusal.id)) text += fmt::format("  (id {})", printable(refusal.id));
    text += '\n';
  }
  return text;
}

int run_refusals(const RefusalsCommandOptions& options) {
  if (options.json && options.csv) throw usage_error("--json and --csv are two forms, take one");
  const CatalogReader catalog(options.catalog);
  const std::vector<Refusal> refusals = catalog.refusals();
  print_output(options.json  ? refusals_json(refusals)
               : options.csv ? refusals_csv(refusals)
                             : table(refusals));
  const CatalogTotals totals = catalog.totals();
  say({ProgressStyle::kPlain, options.quiet}, "refusals",
      fmt::format("{} listed, {} encoded, {} refused{}", counted(totals.listed, "photo"),
                  format_count(totals.encoded), format_count(totals.refused),
                  catalog.complete() ? "" : "; encode has not finished"));
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_refusals_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<RefusalsCommandOptions>();
  RefusalsCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("refusals", kDescription);
  add_catalog_flag(*command, options.catalog);
  command->add_flag("--json", options.json, "JSON lines in place of the table");
  command->add_flag("--csv", options.csv, "CSV in place of the table");
  command->add_flag("-q,--quiet", options.quiet, "Say nothing but results and errors");
  command->callback([typed, &run] { run = [typed] { return run_refusals(*typed); }; });
}

}  // namespace lookalike
