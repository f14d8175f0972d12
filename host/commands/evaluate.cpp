#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/catalog_checks.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/evaluation.h"
#include "host/interrupt.h"
#include "host/progress.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Judge a catalog by its labels, beside what costs nothing to make\n"
    "\n"
    "Examples:\n"
    "  lookalike evaluate -c catalog\n"
    "  lookalike evaluate -c catalog --json | jq '.codes[] | {name, average_precision}'\n"
    "\n"
    "For every item, its neighbours: what share of the first 1, 5 and 10 has the item's label (precision), "
    "and\n"
    "how early all others of the label come (average precision). Beside plain and compact codes stand an\n"
    "encoder that never learned, the photo shrunk to 18x18 pixels, its mean colour, and chance. Items "
    "without\n"
    "a label are left out; one that is alone under its label is no query. The network never saw a label.\n";

constexpr int64_t kMostItems = 100'000;
constexpr std::size_t kLabelsShown = 20;
constexpr std::size_t kWidestLabel = 24;

struct EvaluateCommandOptions {
  std::string catalog;  // folder
  int64_t items = EvaluationWork().items;
  bool json = false;
  std::string device = "auto";  // auto, cpu or cuda
  int threads = 0;              // 0: one for each core
  std::string progress = "auto";
  bool quiet = false;  // results and errors alone
};

// To six digits after the point: what is beyond says nothing, and 0.5349999999999999 less.
double rounded(double measure) { return std::round(measure * 1e6) / 1e6; }

nlohmann::ordered_json json_of(const LabelMeasures& measures) {
  nlohmann::ordered_json json = {{"queries", measures.queries}};
  for (std::size_t i = 0; i < kPrecisionAt.size(); ++i) {
    json[fmt::format("precision_at_{}", kPrecisionAt[i])] = rounded(measures.precision[i]);
  }
  json["average_precision"] = rounded(measures.average_precision);
  return json;
}

std::string json_text(const Evaluation& evaluation) {
  nlohmann::ordered_json codes = nlohmann::ordered_json::array();
  for (const JudgedCodes& judged : evaluation.codes) {
    nlohmann::ordered_json one = {{"name", judged.name}, {"numbers", judged.numbers}};
    one.update(json_of(judged.all));
    nlohmann::ordered_json labels = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < judged.by_label.size(); ++i) {
      nlohmann::ordered_json label = {{"label", bytes_to_text(evaluation.labels[i].label)}};
      label.update(json_of(judged.by_label[i]));
      labels.push_back(std::move(label));
    }
    one["labels"] = std::move(labels);
    codes.push_back(std::move(one));
  }
  const nlohmann::ordered_json all = {{"items", evaluation.rows},    {"unlabelled", evaluation.unlabelled},
                                      {"judged", evaluation.judged}, {"alone", evaluation.alone},
                                      {"codes", std::move(codes)},   {"missing", evaluation.missing}};
  return all.dump() + '\n';
}

std::string row(const std::string& name, int64_t numbers, const LabelMeasures& measures) {
  std::string text = fmt::format("  {:<26}{:>9}", name, numbers > 0 ? format_count(numbers) : "");
  for (const double precision : measures.precision) text += fmt::format("{:>8.3f}", precision);
  return text + fmt::format("{:>8.3f}\n", measures.average_precision);
}

std::string head(const char* first, const char* second) {
  std::string text = fmt::format("  {:<26}{:>9}", first, second);
  for (const int64_t k : kPrecisionAt) text += fmt::format("{:>8}", fmt::format("@{}", k));
  return text + fmt::format("{:>8}\n", "mAP");
}

// Labels by the better of the catalog's codes, plain or compact.
std::string table(const Evaluation& evaluation) {
  std::string text = head("precision of neighbours", "numbers");
  for (const JudgedCodes& judged : evaluation.codes) text += row(judged.name, judged.numbers, judged.all);
  const JudgedCodes &plain = evaluation.codes[0], &next = evaluation.codes[1];
  const bool compact =
      next.name == "compact codes" && next.all.average_precision >= plain.all.average_precision;
  const JudgedCodes& shown = compact ? next : plain;
  text += '\n' + head(("by label, " + shown.name).c_str(), "items");
  const std::size_t most = std::min(kLabelsShown, evaluation.labels.size());
  for (std::size_t i = 0; i < most; ++i) {
    std::string label = printable(evaluation.labels[i].label);
    if (label.size() > kWidestLabel) label = printable(label.substr(0, kWidestLabel - 3)) + "...";
    text += row(label, evaluation.labels[i].items, shown.by_label[i]);
  }
  if (most < evaluation.labels.size()) {
    text += fmt::format("  and {} smaller labels\n",
                        format_count(std::ssize(evaluation.labels) - static_cast<int64_t>(most)));
  }
  return text;
}

void say_counts(const Talk& talk, const EvaluateCommandOptions& options, const Evaluation& evaluation) {
  const int64_t labelled = evaluation.rows - evaluation.unlabelled;
  if (evaluation.unlabelled > 0) {
    say(talk, "evaluate", fmt::format("left out without a label: {}", format_count(evaluation.unlabelled)));
  }
  if (evaluation.judged < labelled) {
    say(talk, "evaluate",
        fmt::format(
            "a sample: {} of {} items with a label, evenly spread, each compared with the others of the "
            "sample; --items takes more",
            format_count(evaluation.judged), format_count(labelled)));
  }
  if (evaluation.alone > 0) {
    say(talk, "evaluate",
        fmt::format("alone among them under their labels, so neighbours of others and no queries: {}",
                    format_count(evaluation.alone)));
  }
  for (const std::string& missing : evaluation.missing) say(talk, "evaluate", "not judged: " + missing);
  say(talk, "evaluate",
      fmt::format("{} queries of {} labels in {}", format_count(evaluation.judged - evaluation.alone),
                  format_count(std::ssize(evaluation.labels)), options.catalog));
}

int run_evaluate(const EvaluateCommandOptions& options) {
  watch_signals();
  require_within("--items", options.items, 2, kMostItems);
  require_within("--threads", options.threads, 0, kMaxThreads);
  const Talk talk = {parse_progress_style(options.progress), options.quiet};
  const CatalogReader catalog(options.catalog);
  require_items(catalog);
  const auto device = make_device(options.device, options.threads, nullptr);
  if (catalog.has_model()) device->set_parameters(catalog.model().parameters);
  if (const std::string text = unfinished_warning(catalog, "judged"); !text.empty()) {
    say(talk, "evaluate", text);
  }
  std::string current;
  std::optional<Progress> progress;
  const Evaluation evaluation =
      evaluate(*device, catalog, {.items = options.items}, [&](const char* task, int64_t done, int64_t of) {
        if (current != task) {
          progress.reset();
          progress.emplace(talk, task, of);
          current = task;
        }
        progress->update(done, "");
        if (stop_signal() == 0) return;
        progress->message(fmt::format("stopped by SIG{}", sigabbrev_np(stop_signal())));
        throw Interrupted(stop_signal());
      });
  progress.reset();
  print_output(options.json ? json_text(evaluation) : table(evaluation));
  say_counts(talk, options, evaluation);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

void add_evaluate_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<EvaluateCommandOptions>();
  EvaluateCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("evaluate", kDescription);
  add_catalog_flag(*command, options.catalog);
  add_number(*command, "--items", options.items, "N",
             "Items judged at most, evenly spread and compared with each other; 16 KB each");
  command->add_flag("--json", options.json, "JSON in place of the tables, every label with its own measures");
  add_device_flags(*command, options.device, options.threads);
  add_progress_flags(*command, options.progress, options.quiet);
  command->callback([typed, &run] { run = [typed] { return run_evaluate(*typed); }; });
}

}  // namespace lookalike
