#include "host/train_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/files.h"

namespace lookalike {
namespace {

namespace fs = std::filesystem;

// The epoch of "epoch_0012.png", or 0.
int64_t preview_epoch(const std::string& name) {
  constexpr std::string_view kPrefix = "epoch_", kSuffix = ".png";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return 0;
  int64_t epoch = 0;
  const char* end = name.data() + name.size() - kSuffix.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, epoch);
  return error == std::errc() && stop == end ? epoch : 0;
}

bool possible(const TrainingState& state, const TrainOptions& options) {
  return state.epoch >= 0 && state.epoch <= options.epochs && state.position >= 0 &&
         (state.epoch < options.epochs || state.position == 0) && state.best_epoch >= 0 &&
         state.best_epoch <= state.epoch && (state.epoch == 0) == (state.best_epoch == 0);
}

// What a run that was cut before its first state may leave.
constexpr std::array<std::string_view, 5> kOwnNames = {"metrics.csv", "model.safetensors", "previews",
                                                       "refused.csv", ".lock"};

}  // namespace

void refuse_foreign_folder(const std::string& folder) {
  if (!is_folder(folder) || exists(folder + "/training.safetensors")) return;
  for (const std::string& name : names_in(folder)) {
    if (std::ranges::find(kOwnNames, name) != kOwnNames.end() || is_temporary(name)) continue;
    throw usage_error(
        fmt::format("{} is not empty and holds no model (it has {}), name another folder", folder, name));
  }
}

void TrainFolder::prepare() const {
  std::error_code error;
  fs::create_directories(folder_ + "/previews", error);
  if (error) throw system_error(fmt::format("{}/previews cannot be made: {}", folder_, error.message()));
  sweep_temporaries(folder_);
  sweep_temporaries(folder_ + "/previews");
}

std::optional<TrainingState> TrainFolder::stored(const TrainOptions& options, const Settings& asked) const {
  if (!fs::exists(state_path())) {
    if (!fs::exists(model_path())) return std::nullopt;
    throw usage_error(fmt::format(
        "{} is a model without the training state to go on from, --force replaces it", model_path()));
  }
  try {
    TrainingState state = read_training_state(state_path());
    require_same_training(folder_, state.settings, asked);
    if (possible(state, options)) return state;
    throw damaged_error(state_path() + " holds counts that no run has");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kDamaged) throw;
    throw damaged_error(fmt::format("{}; --force starts over", error.what()));
  }
}

void TrainFolder::start_over() const {
  std::filesystem::remove(state_path());
  std::filesystem::remove(model_path());
}

void TrainFolder::write_refusals(const std::vector<Refusal>& refusals) const {
  if (refusals.empty()) {
    std::error_code ignored;  // nothing is there in most runs
    fs::remove(refusals_path(), ignored);
    return;
  }
  const std::string text = refusals_csv(refusals);
  publish_file(refusals_path(), std::as_bytes(std::span(text)));
}

void TrainFolder::write_state(const Device& device, const TrainPosition& position,
                              const Settings& settings) const {
  TrainingState state;
  state.parameters.resize(kParameterCount);
  device.get_parameters(state.parameters);
  state.optimizer = device.optimizer();
  state.epoch = position.epoch;
  state.position = position.position;
  state.epoch_loss_sum = position.epoch_loss_sum;
  state.best_parameters = position.best_parameters;
  state.best_loss = position.best_loss;
  state.best_epoch = position.best_epoch;
  state.settings = settings;
  write_training_state(state_path(), state);
}

void TrainFolder::write_best(const TrainPosition& position, const Settings& settings) const {
  if (position.best_epoch == 0) return;
  const auto contents = settings.find("contents");
  const Model model = {.parameters = position.best_parameters,
                       .rule = rule_,
                       .epoch = position.best_epoch,
                       .loss = position.best_loss,
                       .dataset = contents == settings.end() ? "" : contents->second,
                       .settings = settings};
  try {
    const Model there = read_model(model_path());
    if (there.parameters == model.parameters && there.rule == model.rule && there.epoch == model.epoch &&
        there.loss == model.loss && there.dataset == model.dataset && there.settings == model.settings) {
      return;
    }
  } catch (const Error&) {  // missing or damaged: written below, and a disk that fails says so there
  }
  write_model(model_path(), model);
}

void TrainFolder::write_preview(int64_t epoch, const std::vector<uint8_t>& png) const {
  const std::string previews = folder_ + "/previews";
  for (const auto& entry : fs::directory_iterator(previews)) {
    if (preview_epoch(entry.path().filename().string()) > epoch) fs::remove(entry.path());
  }
  publish_file(fmt::format("{}/epoch_{:04}.png", previews, epoch), std::as_bytes(std::span(png)));
}

TrainPosition position_of(const TrainingState& state) {
  return {state.epoch,           state.position,  state.epoch_loss_sum,
          state.best_parameters, state.best_loss, state.best_epoch};
}

}  // namespace lookalike
