#include "host/commands/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "engine/error.h"
#include "host/command_line.h"
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
    "\n"
    "The same command again goes on where a run was stopped. The folder gets model.safetensors (the best\n"
    "weights), training.safetensors (what going on needs), metrics.csv, previews/ and, where photos were\n"
    "refused, refused.csv.\n";

constexpr int64_t kMaxEpochs = 1'000'000'000;
constexpr int64_t kMaxBatch = 65536;
constexpr int64_t kMaxThreads = 4096;

// Flags as they were typed, where the program keeps another form.
struct Typed {
  TrainCommandOptions options;
  std::string fit = to_string(TrainCommandOptions{}.rule.fit);
  std::string background = "#ffffff";
  std::string progress = "auto";
  uint64_t memory = 0;
};

// CLI11 saturates numbers that do not fit, and wraps negative ones.
std::string whole_number(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? "" : "'" + text + "' is not a whole number from 0 to 2^64 - 1";
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  return CLI::Validator(CLI::IsMember(names)).description("");
}

std::array<uint8_t, 3> parse_background(const std::string& text) {
  const std::string digits = text == "white"   ? "ffffff"
                             : text == "black" ? "000000"
                                               : text.substr(text.empty() ? 0 : 1);
  uint32_t rgb = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rgb, 16);
  const bool named = text == "white" || text == "black";
  if ((!named && text.substr(0, 1) != "#") || digits.size() != 6 || error != std::errc() ||
      stop != digits.data() + digits.size()) {
    throw usage_error("--background is '" + text + "', take white, black or red, green, blue as #ffffff");
  }
  return {static_cast<uint8_t>(rgb), static_cast<uint8_t>(rgb >> 8), static_cast<uint8_t>(rgb >> 16)};
}

int run_typed(const Typed& typed) {
  TrainCommandOptions options = typed.options;
  options.rule.fit = parse_fit(typed.fit);
  options.rule.background = parse_background(typed.background);
  options.progress = parse_progress_style(typed.progress);
  options.memory_bytes = static_cast<int64_t>(std::min(typed.memory, uint64_t{INT64_MAX}));
  check_train_options(options);
  return run_training(options);
}

}  // namespace

void check_train_options(const TrainCommandOptions& options) {
  const auto within = [](const char* flag, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return;
    throw usage_error(fmt::format("{} is {}, take a whole number from {} to {}", flag, value, low, high));
  };
  within("--epochs", options.training.epochs, 1, kMaxEpochs);
  within("--batch-size", options.training.batch_size, 1, kMaxBatch);
  within("--patience", options.training.patience, 0, kMaxEpochs);
  within("--threads", options.threads, 0, kMaxThreads);
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
  command
      ->add_option("PHOTOS", options.photos,
                   "Folder (searched through), list file, .csv with a path column, or -")
      ->required()
      ->option_text(" ");
  command->add_option("-o,--output", options.model, "Folder for the model; made where it is missing")
      ->required()
      ->type_name("MODEL");

  const auto number = [&](const char* flag, auto& value, const char* unit, const char* meaning) {
    command->add_option(flag, value, meaning)->type_name(unit)->capture_default_str()->check(whole_number);
  };
  number("--epochs", options.training.epochs, "N", "Times through the photos");
  number("--batch-size", options.training.batch_size, "IMAGES", "Images a step");
  command->add_option("--learning-rate", options.training.learning_rate, "Adam's step size")
      ->type_name("RATE")
      ->capture_default_str();
  number("--seed", options.training.seed, "N", "First weights, order of the photos, validation share");
  command
      ->add_option("--validation", options.validation,
                   "Share of the photos (0 to below 1) that is kept apart to judge by, or other photos")
      ->type_name("SHARE|PHOTOS")
      ->capture_default_str();
  number("--patience", options.training.patience, "EPOCHS",
         "Stop after so many without a better loss; 0: never");
  command->add_option("--fit", typed->fit, "How a photo becomes square: pad, crop or stretch")
      ->type_name("HOW")
      ->capture_default_str()
      ->check(one_of({"pad", "crop", "stretch"}));
  command
      ->add_option("--background", typed->background,
                   "Under padding and transparency: white, black or #rrggbb")
      ->type_name("COLOUR")
      ->capture_default_str();
  command->add_option("--device", options.device, "auto, cpu or cuda")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(one_of({"auto", "cpu", "cuda"}));
  number("--threads", options.threads, "N", "0: one for each core; results do not depend on it");
  command
      ->add_option("--memory", typed->memory,
                   "For decoded photos, as 512M or 4G; default: half of what is free")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false).description(""));
  command->add_option("--progress", typed->progress, "auto, bar, plain, json or none")
      ->type_name("STYLE")
      ->capture_default_str()
      ->check(one_of({"auto", "bar", "plain", "json", "none"}));
  command->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  command->add_flag("-f,--force", options.force, "Start over where the folder holds another run");
  command->callback([typed, &run] { run = [typed] { return run_typed(*typed); }; });
}

}  // namespace lookalike
