#include <memory>

#include "engine/error.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/export_run.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Write a catalog's codes for other programs\n"
    "\n"
    "Examples:\n"
    "  lookalike export -c catalog -o codes.npy --ids ids.txt\n"
    "  lookalike export -c catalog --codes compact -o codes.fvecs\n"
    "  lookalike export -c catalog --codes compact -o - --format pgvector | psql -v ON_ERROR_STOP=1 shop\n"
    "\n"
    "npy and fvecs hold the codes alone, in the catalog's order, which --ids writes out; csv and pgvector "
    "hold\n"
    "id and label too. pgvector is SQL: a table with a vector column, which has at most 16,000 numbers and "
    "can\n"
    "be indexed up to 2,000. In it, text that is not UTF-8 is written as hex: and the digits of its bytes.\n";

}  // namespace

void add_export_command(CLI::App& app, Run& run) {
  struct Typed {
    ExportCommandOptions options;
    std::string progress = "auto";
  };
  const auto typed = std::make_shared<Typed>();
  ExportCommandOptions& options = typed->options;
  CLI::App* command = app.add_subcommand("export", kDescription);
  add_catalog_flag(*command, options.catalog);
  command
      ->add_option("-o,--output", options.output,
                   "File to write: .npy, .fvecs, .csv, .sql; - is standard output")
      ->required()
      ->check(not_empty)
      ->type_name("FILE");
  add_codes_flag(*command, options.codes);
  command
      ->add_option("--format", options.format,
                   "npy, fvecs, csv or pgvector; default: as the file's name ends")
      ->type_name("NAME")
      ->check(CLI::Validator(CLI::IsMember({"npy", "fvecs", "csv", "pgvector"})).description(""));
  command->add_option("--ids", options.ids, "Text file to write too: an id a line, in the order of the codes")
      ->check(not_empty)
      ->type_name("FILE");
  const CLI::Option* table = command->add_option("--table", options.table, "Name of the pgvector table")
                                 ->capture_default_str()
                                 ->check(not_empty)
                                 ->type_name("NAME");
  add_progress_flags(*command, typed->progress, options.talk.quiet);
  command->callback([typed, table, &run] {
    run = [typed, table] {
      const ExportCommandOptions& chosen = typed->options;
      if (table->count() > 0 && export_format(chosen.format, chosen.output) != ExportFormat::kPgvector) {
        throw usage_error("--table is for --format pgvector alone, leave one of them out");
      }
      typed->options.talk.progress = parse_progress_style(typed->progress);
      return run_export(typed->options);
    };
  });
}

}  // namespace lookalike
