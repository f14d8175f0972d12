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
    "Check all of a model or catalog: structure, checksums, counts\n"
    "\n"
    "Examples:\n"
    "  lookalike verify model\n"
    "  lookalike verify catalog\n"
    "  lookalike verify model/training.safetensors\n"
    "\n"
    "Reads every byte. Exit code 0 where all is well, 6 and the first thing that is wrong where it is not.\n";

int run_verify(const std::string& path) {
  std::string text;
  for (const std::string& line : verify_artefact(path)) text += printable(line) + '\n';
  print_output(text);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_verify_command(CLI::App& app, Run& run) {
  const auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("verify", kDescription);
  command->add_option("PATH", *path, "Model or catalog folder, or a file of a model")
      ->required()
      ->check(not_empty)
      ->option_text(" ");
  command->callback([path, &run] { run = [path] { return run_verify(*path); }; });
}

}  // namespace lookalike
