#include <fmt/format.h>

#include <memory>

#include "engine/error.h"
#include "host/bench_run.h"
#include "host/command_line.h"
#include "host/commands/flags.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Measure this machine: photos decoded, encoded, trained on, searched a second\n"
    "\n"
    "Examples:\n"
    "  lookalike bench\n"
    "  lookalike bench photos --seconds 30\n"
    "  lookalike bench --json | jq .devices\n"
    "\n"
    "With PHOTOS, 256 of them spread over the list are measured; without, pictures of its own, 400 x 533 "
    "JPEG.\n"
    "End to end is what encode does, files to a catalog, in a folder under TMPDIR that is removed; the line\n"
    "below it names the stage that limits it. The network is untrained, which changes no rate.\n";

constexpr double kLeastSeconds = 0.1, kMostSeconds = 3600;

}  // namespace

void add_bench_command(CLI::App& app, Run& run) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", kDescription);
  command
      ->add_option("PHOTOS", options->photos,
                   "Folder (searched through), list file, .csv with a path column, or -; default: none")
      ->check(not_empty)
      ->option_text(" ");
  add_device_flags(*command, options->device, options->threads);
  command->add_option("--seconds", options->seconds, "For all measurements together, about")
      ->type_name("SECONDS")
      ->capture_default_str()
      ->check(real_number);
  command->add_flag("--json", options->json, "One JSON document in place of text");
  command->callback([options, &run] {
    run = [options] {
      require_within("--threads", options->threads, 0, kMaxThreads);
      if (!(options->seconds >= kLeastSeconds && options->seconds <= kMostSeconds)) {
        throw usage_error(
            fmt::format("--seconds is {}, take {} to {}", options->seconds, kLeastSeconds, kMostSeconds));
      }
      return run_bench(*options);
    };
  });
}

}  // namespace lookalike
