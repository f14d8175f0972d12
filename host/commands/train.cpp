#include "host/commands/train.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "engine/error.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/train_plan.h"
#include "host/train_run.h"
#include "host/train_settings.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Train the autoencoder on a shop's photos\n"
    "\n"
    "Examples:\n"
    "  lookalike train photos -o model\n"
    "  lookalike train photos -o model --epochs 40 --patience 5 --fit crop\n"
    "  lookalike train train.csv -o model --validation validation.csv\n"
    "  find photos -name '*.jpg' | lookalike train - -o model\n"
    "  lookalike train photos -o model --dry-run         what it will take\n"
    "\n"
    "The same command again goes on where a run was stopped. The folder gets model.safetensors (the best\n"
    "weights), training.safetensors (what going on needs), metrics.csv, previews/ and, where photos were\n"
    "refused, refused.csv.\n";

constexpr int64_t kMaxEpochs = 1'000'000'000;
constexpr int64_t kMaxBatch = 65536;

// Flags as they were typed, where the program keeps another form.
struct Typed {
  TrainCommandOptions options;
  std::string fit = to_string(TrainCommandOptions{}.rule.fit);
  std::string background = "#ffffff";
  std::string progress = "auto";
  RefusalFlags refusal;
  std::string memory;
  bool memory_given = false;
  bool dry_run = false;
};

int run_typed(const Typed& typed) {
  TrainCommandOptions options = typed.options;
  options.rule.fit = parse_fit(typed.fit);
  options.rule.background = parse_background(typed.background);
  take_refusal_flags(typed.refusal, options.limits, options.max_bad);
  options.talk.progress = parse_progress_style(typed.progress);
  if (typed.memory_given) options.memory_bytes = parse_size("--memory", typed.memory);
  check_train_options(options);
  return typed.dry_run ? plan_training(options) : run_training(options);
}

}  // namespace

void check_train_options(const TrainCommandOptions& options) {
  require_within("--epochs", options.training.epochs, 1, kMaxEpochs);
  require_within("--batch-size", options.training.batch_size, 1, kMaxBatch);
  require_within("--patience", options.training.patience, 0, kMaxEpochs);
  require_within("--threads", options.threads, 0, kMaxThreads);
  const double rate = options.training.learning_rate;
  if (!std::isfinite(rate) || rate <= 0) {
    throw usage_error(fmt::format("--learning-rate is {}, take a finite number above 0", rate));
  }
  validation_share(options.validation);
}

void add_train_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<Typed>();
  TrainCommandOptions& options = typed->options;
  CLI::App* command = app.add_subcommand("train", kDescription);
  add_photos(*command, options.photos);
  command->add_option("-o,--output", options.model, "Folder for the model; made where it is missing")
      ->required()
      ->check(not_empty)
      ->type_name("MODEL");

  add_number(*command, "--epochs", options.training.epochs, "N", "Times through the photos");
  add_number(*command, "--batch-size", options.training.batch_size, "IMAGES", "Images a step");
  command->add_option("--learning-rate", options.training.learning_rate, "Adam's step size")
      ->type_name("RATE")
      ->capture_default_str()
      ->check(real_number);
  add_number(*command, "--seed", options.training.seed, "N",
             "First weights, order of the photos, validation share")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--validation", options.validation,
                   "Share of the photos (0 to below 1) that is kept apart to judge by, or other photos")
      ->type_name("SHARE|PHOTOS")
      ->capture_default_str();
  add_number(*command, "--patience", options.training.patience, "EPOCHS",
             "Stop after so many without a better loss; 0: never");
  command->add_option("--fit", typed->fit, "How a photo becomes square: pad, crop or stretch")
      ->type_name("HOW")
      ->capture_default_str()
      ->check(CLI::Validator(CLI::IsMember({"pad", "crop", "stretch"})).description(""));
  command
      ->add_option("--background", typed->background,
                   "Under padding and transparency: a name as white, or #rrggbb")
      ->type_name("COLOUR")
      ->capture_default_str();
  add_refusal_flags(*command, options.limits, typed->refusal, "checked before the first step");
  add_device_flags(*command, options.device, options.threads);
  CLI::Option* memory = command
                            ->add_option("--memory", typed->memory,
                                         "For decoded photos, as 512M or 4G; default: half of what is free")
                            ->type_name("SIZE");
  add_progress_flags(*command, typed->progress, options.talk.quiet);
  command->add_flag("-f,--force", options.force, "Start over where the folder holds another run");
  add_dry_run_flag(*command, typed->dry_run);
  command->callback([typed, memory, &run] {
    typed->memory_given = memory->count() > 0;
    run = [typed] { return run_typed(*typed); };
  });
}

}  // namespace lookalike
