#include <memory>

#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/import_run.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Make a catalog of codes that another program made\n"
    "\n"
    "Examples:\n"
    "  lookalike import-codes clip.npy --ids ids.txt -o clip.catalog\n"
    "  lookalike import-codes clip.npy --ids ids.txt --labels labels.txt -o clip.catalog\n"
    "\n"
    "CODES is a .npy file of (rows, numbers), float16, float32 or float64, in C order; it is kept as "
    "float32.\n"
    "search (by id), recommend, compact, evaluate, duplicates and export then serve the catalog. A photo "
    "cannot\n"
    "be searched for: no network belongs to it. A number that is not finite is refused with its row and "
    "id.\n";

}  // namespace

void add_import_codes_command(CLI::App& app, Run& run) {
  struct Typed {
    ImportCommandOptions options;
    std::string progress = "auto";
  };
  const auto typed = std::make_shared<Typed>();
  ImportCommandOptions& options = typed->options;
  CLI::App* command = app.add_subcommand("import-codes", kDescription);
  command->add_option("CODES", options.matrix, "Matrix of codes, .npy")
      ->required()
      ->check(not_empty)
      ->option_text(" ");
  command->add_option("--ids", options.ids, "Text file, an id a line, in the order of the rows")
      ->required()
      ->check(not_empty)
      ->type_name("FILE");
  command->add_option("--labels", options.labels, "Text file, a label a line, which may be empty")
      ->check(not_empty)
      ->type_name("FILE");
  command->add_option("-o,--output", options.catalog, "Folder for the catalog; made where it is missing")
      ->required()
      ->check(not_empty)
      ->type_name("CATALOG");
  command->add_flag("-f,--force", options.force, "Start over where the folder holds another catalog");
  add_progress_flags(*command, typed->progress, options.talk.quiet);
  command->callback([typed, &run] {
    run = [typed] {
      typed->options.talk.progress = parse_progress_style(typed->progress);
      return run_import(typed->options);
    };
  });
}

}  // namespace lookalike
