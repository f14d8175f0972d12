// The program's command line: parses, runs one command, turns an Error into one line and an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace lookalike {

// Returns the process's exit code.
int run_command_line(int argc, char** argv);

// Each command registers its flags on a subcommand of `app` and, when it is chosen, sets `run` to what main
// then calls; run returns the exit code. One such function a file in host/commands.
using Run = std::function<int()>;
void add_train_command(CLI::App& app, Run& run);
void add_encode_command(CLI::App& app, Run& run);
void add_compact_command(CLI::App& app, Run& run);
void add_index_command(CLI::App& app, Run& run);
void add_search_command(CLI::App& app, Run& run);
void add_recommend_command(CLI::App& app, Run& run);
void add_report_command(CLI::App& app, Run& run);
void add_duplicates_command(CLI::App& app, Run& run);
void add_evaluate_command(CLI::App& app, Run& run);
void add_export_command(CLI::App& app, Run& run);
void add_import_codes_command(CLI::App& app, Run& run);
void add_refusals_command(CLI::App& app, Run& run);
void add_verify_command(CLI::App& app, Run& run);
void add_doctor_command(CLI::App& app, Run& run);
void add_bench_command(CLI::App& app, Run& run);

}  // namespace lookalike
