#include "host/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/random.h"
#include "engine/thread_pool.h"
#include "host/atomic_file.h"
#include "host/bottleneck.h"
#include "host/byte_cache.h"
#include "host/held_photos.h"
#include "host/interrupt.h"
#include "host/memory.h"
#include "host/plan.h"
#include "host/preview.h"
#include "host/shell_word.h"
#include "host/train_folder.h"
#include "host/train_settings.h"

namespace lookalike {
namespace {

using Clock = std::chrono::steady_clock;

// A state is 80 KB: at most this much work is lost to a kill in a long epoch.
constexpr std::chrono::seconds kSaveInterval{60};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void say(const TrainCommandOptions& options, const std::string& text) { say(options.talk, "train", text); }

ByteCache decode(const TrainCommandOptions& options, const PhotoList& photos, const char* task,
                 int64_t memory) {
  Progress progress(options.talk, task, static_cast<int64_t>(photos.items.size()));
  return ByteCache(photos, byte_cache_options(options, memory), [&](int64_t done, int64_t refused) {
    progress.update(done, refused > 0 ? format_count(refused) + " refused" : "");
    return stop_signal() == 0;
  });
}

// The photos as the network sees them.
struct Images {
  RunClock clock;  // of the whole run
  ByteCache training, validation;
  double reading_seconds = 0;

  Images(const TrainCommandOptions& options, const TrainPhotos& photos, int64_t memory)
      : training(decode(options, photos.training, "read photos", memory)),
        validation(decode(options, photos.validation, "read validation photos",
                          memory - (training.in_memory() ? training.size() * kImageBytes : 0))),
        reading_seconds(clock.elapsed()) {}

  std::vector<Refusal> refusals() const {
    std::vector<Refusal> all = training.refusals();
    all.insert(all.end(), validation.refusals().begin(), validation.refusals().end());
    return all;
  }
};

// Training proper: what is said and saved while it goes.
class Session {
 public:
  Session(const TrainCommandOptions& options, const Images& images, TrainFolder& folder, Device& device,
          Settings settings, TrainPosition position, const HeldFrom& held)
      : options_(options),
        images_(images),
        folder_(folder),
        device_(device),
        settings_(std::move(settings)),
        position_(std::move(position)),
        held_(held),
        metrics_(folder.metrics_path(), position_.epoch),
        progress_(options.talk, "train", options.training.epochs * images.training.size()),
        epoch_start_(Clock::now()),
        last_save_(epoch_start_),
        resumed_(images_done()) {
    progress_.set_resumed(resumed_);
  }

  // Returns with everything saved; a stop that was asked for as kPaused.
  TrainEnd run() {
    const TrainObserver observer = {[this](const TrainPosition&, double) {
                                      const Stopwatch saving(saving_);
                                      return after_step();
                                    },
                                    [this](const TrainPosition&, const EpochResult& result) {
                                      const Stopwatch saving(saving_);
                                      after_epoch(result);
                                    },
                                    [this](const TrainPosition&) { save(); },
                                    [] {
                                      if (stop_signal() != 0) throw Interrupted(stop_signal());
                                    }};
    try {
      return train(device_, images_.training.source(), images_.validation.source(), options_.training,
                   position_, observer, held_);
    } catch (const Interrupted&) {  // while validating: the epoch's steps are done and kept
      save();
      return TrainEnd::kPaused;
    }
  }

  const TrainPosition& position() const { return position_; }
  std::string bottleneck() const {
    const double elapsed = images_.clock.elapsed();
    const double training = elapsed - images_.reading_seconds - saving_;
    return lookalike::bottleneck({.processor_seconds = images_.clock.processor_seconds(),
                                  .elapsed = elapsed,
                                  .cores = usable_cores(),
                                  .stages = {{"training", training, elapsed},
                                             {"decoding", images_.reading_seconds, elapsed},
                                             {"saving", saving_, elapsed}}});
  }
  double images_per_second() const {
    return static_cast<double>(images_done() - resumed_) / std::max(progress_.seconds(), 1e-9);
  }

 private:
  int64_t images_done() const { return position_.epoch * images_.training.size() + position_.position; }

  void save() {
    folder_.write_state(device_, position_, settings_);
    last_save_ = Clock::now();
  }

  bool after_step() {
    const double loss = position_.epoch_loss_sum / static_cast<double>(position_.position);
    progress_.update(images_done(), fmt::format("epoch {}/{}  loss {:.4f}", position_.epoch + 1,
                                                options_.training.epochs, loss));
    if (stop_signal() != 0) return true;
    if (Clock::now() - last_save_ >= kSaveInterval) save();
    return false;
  }

  void after_epoch(const EpochResult& result) {
    metrics_.add({.epoch = result.epoch,
                  .images = images_done(),
                  .loss = result.loss,
                  .validation_loss = result.validation_loss,
                  .learning_rate = options_.training.learning_rate,
                  .seconds = seconds_since(epoch_start_)});
    folder_.write_preview(result.epoch, preview());
    save();
    if (result.best) folder_.write_best(position_, settings_);
    const std::string validation =
        images_.validation.size() > 0 ? fmt::format("  validation {:.4f}", result.validation_loss) : "";
    progress_.message(fmt::format("epoch {}/{}  loss {:.4f}{}{}", result.epoch, options_.training.epochs,
                                  result.loss, validation, result.best ? "  best" : ""));
    epoch_start_ = Clock::now();
  }

  std::vector<uint8_t> preview() {
    const ByteCache& shown = images_.validation.size() > 0 ? images_.validation : images_.training;
    const std::vector<int64_t> choice = preview_choice(shown.size());
    std::vector<uint8_t> originals(choice.size() * std::size_t{kImageBytes}),
        reconstructions(originals.size());
    std::vector<float> codes(choice.size() * std::size_t{kCodeLength});
    shown.gather(choice, originals);
    device_.encode(originals, codes);
    device_.decode(codes, reconstructions);
    return preview_png(originals, reconstructions);
  }

  const TrainCommandOptions& options_;
  const Images& images_;
  TrainFolder& folder_;
  Device& device_;
  Settings settings_;
  TrainPosition position_;
  HeldFrom held_;
  Metrics metrics_;
  Progress progress_;
  Clock::time_point epoch_start_, last_save_;
  int64_t resumed_;
  double saving_ = 0;  // seconds
};

// shop.model -> shop.catalog, model -> catalog, shop -> shop.catalog
std::string catalog_beside(std::string model) {
  constexpr std::string_view kModel = "model";
  while (model.size() > 1 && model.ends_with('/')) model.pop_back();
  if (!model.ends_with(kModel)) return model + ".catalog";
  return model.substr(0, model.size() - kModel.size()) + "catalog";
}

void say_result(const TrainCommandOptions& options, const TrainFolder& folder, const TrainPosition& position,
                bool validated) {
  const std::string_view how = position.epoch < options.training.epochs ? ": patience ran out" : "";
  say(options,
      fmt::format("finished after {}{}; best epoch {}, {} {:.4f}", counted(position.epoch, "epoch"), how,
                  position.best_epoch, validated ? "validation loss" : "training loss", position.best_loss));
  say(options, "model: " + folder.model_path());
  say(options, fmt::format("next: lookalike encode {} -m {} -o {}",
                           options.photos == "-" ? "PHOTOS" : shell_path(options.photos),
                           shell_path(options.model), shell_path(catalog_beside(options.model))));
}

std::string describe(const TrainPosition& position, int64_t images) {
  if (position.position == 0) return fmt::format("epoch {}", position.epoch);
  return fmt::format("epoch {} and {} of {} images", position.epoch, format_count(position.position),
                     format_count(images));
}

int64_t refused_before(const std::string& text, const std::string& folder) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 0) {
    throw damaged_error(
        fmt::format("{}: '{}' is no number of refused photos, --force starts over", folder, text));
  }
  return count;
}

void require_photos(const TrainCommandOptions& options, const Images& images) {
  const int64_t refused = static_cast<int64_t>(images.refusals().size());
  if (images.training.size() == 0) {
    throw no_input_error(fmt::format("none of the {} photos of {} can be used, see {}/refused.csv",
                                     format_count(refused), options.photos, options.model));
  }
  if (images.validation.size() == 0 && validation_share(options.validation) < 0) {
    throw no_input_error(fmt::format("no photo of --validation {} can be used, see {}/refused.csv",
                                     options.validation, options.model));
  }
}

Images read_photos(const TrainCommandOptions& options, const TrainPhotos& photos) {
  try {
    return {options, photos, memory_for_photos(options)};
  } catch (const Interrupted& stop) {
    say(options, fmt::format("stopped by SIG{} while photos were read; the same command reads them again",
                             sigabbrev_np(stop.signal())));
    throw;
  }
}

// Puts the device where the state was; returns the position there.
TrainPosition take_up(const TrainCommandOptions& options, const TrainingState& state,
                      const Settings& settings, const Images& images, const TrainFolder& folder,
                      Device& device) {
  require_same_training(options.model, state.settings, settings);
  if (state.position > images.training.size()) {
    throw damaged_error(folder.state_path() + " counts more images than there are; --force starts over");
  }
  for (const std::string& warning :
       last_bit_warnings(state.settings, settings, options.model, "the weights")) {
    say(options, warning);
  }
  device.set_parameters(state.parameters);
  device.set_optimizer(state.optimizer);
  TrainPosition position = position_of(state);
  folder.write_best(position, settings);
  say(options, "going on after " + describe(position, images.training.size()));
  return position;
}

void train_and_say(const TrainCommandOptions& options, const Images& images, Session& session) {
  try {
    if (session.run() != TrainEnd::kPaused) return;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kNonFinite) throw;
    throw non_finite_error(fmt::format("{}; --learning-rate is {}, what was saved before is as it was",
                                       error.what(), options.training.learning_rate));
  }
  say(options,
      fmt::format("stopped by SIG{} and saved after {}; the same command goes on there",
                  sigabbrev_np(stop_signal()), describe(session.position(), images.training.size())));
  throw Interrupted(stop_signal());
}

void require_few(const TrainCommandOptions& options, const TrainPhotos& photos, const TrainFolder& folder,
                 int64_t refused) {
  require_few_refused(options.max_bad, refused,
                      std::ssize(photos.training.items) + std::ssize(photos.validation.items),
                      folder.refusals_path());
}

// Everything from the locked folder on.
void run_in_folder(const TrainCommandOptions& options, const TrainPhotos& photos, Device& device,
                   const std::string& reason) {
  TrainFolder folder(options.model, options.rule);
  folder.prepare();
  Settings settings = train_settings(options, photos, device.facts());
  std::optional<TrainingState> state;
  if (!options.force) state = folder.stored(options.training, settings);
  if (state && train_ended(position_of(*state), options.training)) {
    folder.write_best(position_of(*state), state->settings);
    say(options, options.model + " is finished already, --force starts over");
    say_result(options, folder, position_of(*state), !photos.validation.items.empty());
    const auto refused = state->settings.find(kRefusedSetting);
    if (refused != state->settings.end())
      require_few(options, photos, folder, refused_before(refused->second, options.model));
    return;
  }

  say(options,
      fmt::format("{} to train on, {} to validate; {}", counted(std::ssize(photos.training.items), "photo"),
                  format_count(std::ssize(photos.validation.items)), reason));
  const Images images = read_photos(options, photos);
  const std::vector<Refusal> refusals = images.refusals();
  folder.write_refusals(refusals);
  require_photos(options, images);
  require_few(options, photos, folder, std::ssize(refusals));
  settings[kRefusedSetting] = std::to_string(refusals.size());
  settings["contents"] = images.training.content_fingerprint();
  settings["validation_contents"] = images.validation.content_fingerprint();
  TrainPosition position;
  if (state) {
    position = take_up(options, *state, settings, images, folder, device);
  } else {
    if (options.force) folder.start_over();
    device.set_parameters(initial_parameters(options.training.seed));
    device.set_optimizer({});
  }

  const HeldFrom held =
      hold_photos(device, images.training.source(), images.validation.source(), options.talk);
  Session session(options, images, folder, device, settings, position, held);
  train_and_say(options, images, session);
  const std::string listed = refusals.empty() ? "" : " (listed in " + folder.refusals_path() + ")";
  say(options, fmt::format("{} trained on, {} validated, {} refused{}; {} images/s",
                           counted(images.training.size(), "photo"), format_count(images.validation.size()),
                           format_count(std::ssize(refusals)), listed,
                           format_count(std::llround(session.images_per_second()))));
  say(options, session.bottleneck());
  say_result(options, folder, session.position(), images.validation.size() > 0);
}

}  // namespace

ByteCacheOptions byte_cache_options(const TrainCommandOptions& options, int64_t memory_bytes) {
  ByteCacheOptions cache;
  cache.rule = options.rule;
  cache.limits = options.limits;
  cache.threads = options.threads;
  cache.memory_bytes = memory_bytes;
  return cache;
}

int64_t memory_for_photos(const TrainCommandOptions& options) {
  return options.memory_bytes > 0 ? options.memory_bytes : free_memory_bytes() / 2;
}

int run_training(const TrainCommandOptions& options) {
  watch_signals();
  std::string reason;
  const auto device = make_device(options.device, options.threads, &reason);
  require_apart(options);
  refuse_foreign_folder(options.model);
  const TrainPhotos photos = list_train_photos(options);
  const std::string memory = device->prepare({.images = options.training.batch_size, .training = true});
  say_lines(options.talk, "train", memory);
  const FolderLock lock(options.model);
  run_in_folder(options, photos, *device, reason);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
