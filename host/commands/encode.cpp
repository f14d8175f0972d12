#include <memory>

#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/encode_plan.h"
#include "host/encode_run.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Make a catalog: turns each photo into a code\n"
    "\n"
    "Examples:\n"
    "  lookalike encode photos -m model -o catalog\n"
    "  lookalike encode products.csv -m model -o catalog --threads 8\n"
    "  find photos -name '*.jpg' | lookalike encode - -m model -o catalog\n"
    "  lookalike encode photos -m model -o catalog --dry-run\n"
    "\n"
    "The same command again goes on where a run was stopped, by whatever means. Photos that cannot be used\n"
    "are refused and the run goes on: lookalike refusals lists them, each with its reason. The folder gets\n"
    "codes/*.npy, catalog.sqlite (the ledger: items, refusals, settings), thumbs.sqlite and a copy of the\n"
    "model; photos and model may then move.\n";

constexpr int64_t kMaxBatch = 4096;
constexpr int64_t kMaxShardRows = 1 << 17;

}  // namespace

void add_encode_command(CLI::App& app, Run& run) {
  struct Typed {
    EncodeCommandOptions options;
    std::string label;
    std::string precision = "float32";
    RefusalFlags refusal;
    std::string progress = "auto";
    bool dry_run = false;
  };
  const auto typed = std::make_shared<Typed>();
  EncodeCommandOptions& options = typed->options;
  CLI::App* command = app.add_subcommand("encode", kDescription);
  add_photos(*command, options.photos);
  command->add_option("-m,--model", options.model, "Model made by train")
      ->required()
      ->check(not_empty)
      ->type_name("MODEL");
  command->add_option("-o,--output", options.catalog, "Folder for the catalog; made where it is missing")
      ->required()
      ->check(not_empty)
      ->type_name("CATALOG");
  command
      ->add_option("--label", typed->label,
                   "Label of a photo: its parent folder, the top one, or none; default: the CSV's column\n"
                   "label, else parent")
      ->type_name("FROM")
      ->check(CLI::Validator(CLI::IsMember({"parent", "top", "none"})).description(""));
  add_refusal_flags(*command, options.limits, typed->refusal, "checked at the end");
  add_device_flags(*command, options.device, options.threads);
  command
      ->add_option("--precision", typed->precision,
                   "float32, or fp16: faster on a GPU of compute capability 9.0, codes err by about 2^-11")
      ->capture_default_str()
      ->type_name("NUMBERS")
      ->check(CLI::Validator(CLI::IsMember({"float32", "fp16"})).description(""));
  add_number(*command, "--batch-size", options.batch_size, "IMAGES", "Images the device gets at once");
  add_number(*command, "--shard-rows", options.shard_rows, "IMAGES",
             "Images listed for one file of codes: what a kill can cost");
  add_number(*command, "--compact", options.compact, "N",
             "Make compact codes of N numbers too, 128 say: see lookalike compact; 0: none");
  add_progress_flags(*command, typed->progress, options.talk.quiet);
  command->add_flag("-f,--force", options.force, "Start over where the folder holds another catalog");
  add_dry_run_flag(*command, typed->dry_run);
  command->callback([typed, &run] {
    run = [typed] {
      EncodeCommandOptions& chosen = typed->options;
      if (typed->precision == "fp16") chosen.precision = Precision::kHalf;
      if (!typed->label.empty()) chosen.labels = parse_labels(typed->label);
      chosen.talk.progress = parse_progress_style(typed->progress);
      require_within("--batch-size", chosen.batch_size, 1, kMaxBatch);
      require_within("--shard-rows", chosen.shard_rows, 1, kMaxShardRows);
      require_within("--threads", chosen.threads, 0, kMaxThreads);
      require_within("--compact", chosen.compact, 0, kCodeLength);
      take_refusal_flags(typed->refusal, chosen.limits, chosen.max_bad);
      return typed->dry_run ? plan_encoding(chosen) : run_encoding(chosen);
    };
  });
}

}  // namespace lookalike
