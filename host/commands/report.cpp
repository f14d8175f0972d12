#include <memory>

#include "engine/error.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/report_run.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Make a page to look through: training, reconstructions, neighbours\n"
    "\n"
    "Examples:\n"
    "  lookalike report -c catalog -o report.html\n"
    "  lookalike report -c catalog -o report.html --items 500 -k 24\n"
    "\n"
    "One HTML file with its pictures inside; it opens without a network and never grows beyond 50 MB. Of a\n"
    "catalog with more than --items photos it shows a sample, evenly spread; neighbours are always of the\n"
    "whole catalog. The loss curve is of the metrics.csv that encode took from the model's folder.\n";

// What a browser holds with ease, and what stays within 50 MB.
constexpr int64_t kMaxItems = 2000;
constexpr int64_t kMaxShownNeighbours = 100;

}  // namespace

void add_report_command(CLI::App& app, Run& run) {
  struct Typed {
    ReportCommandOptions options;
    std::string progress = "auto";
  };
  const auto typed = std::make_shared<Typed>();
  ReportCommandOptions& options = typed->options;
  CLI::App* command = app.add_subcommand("report", kDescription);
  add_catalog_flag(*command, options.catalog);
  command->add_option("-o,--output", options.output, "Page to write, a name ending in .html")
      ->required()
      ->check(not_empty)
      ->type_name("FILE");
  add_number(*command, "-k,--neighbours", options.k, "N", "Neighbours an item, at most 100");
  add_codes_flag(*command, options.codes);
  add_collapse_flag(*command, options.collapse);
  add_number(*command, "--items", options.items, "N", "Items in the page, at most 2000");
  add_device_flags(*command, options.device, options.threads);
  add_progress_flags(*command, typed->progress, options.talk.quiet);
  command->callback([typed, &run] {
    run = [typed] {
      ReportCommandOptions& chosen = typed->options;
      chosen.talk.progress = parse_progress_style(typed->progress);
      require_within("-k", chosen.k, 1, kMaxShownNeighbours);
      require_within("--items", chosen.items, 1, kMaxItems);
      require_within("--threads", chosen.threads, 0, kMaxThreads);
      if (!chosen.output.ends_with(".html")) {
        throw usage_error("--output is '" + chosen.output + "', take a name ending in .html");
      }
      return run_report(chosen);
    };
  });
}

}  // namespace lookalike
