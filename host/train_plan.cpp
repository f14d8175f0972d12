#include "host/train_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/random.h"
#include "host/byte_cache.h"
#include "host/interrupt.h"
#include "host/memory.h"
#include "host/plan.h"
#include "host/preview.h"
#include "host/standard_output.h"
#include "host/train_folder.h"
#include "host/train_run.h"
#include "host/train_settings.h"

namespace lookalike {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMeasuring = 0.5;    // seconds, for each of three rates
constexpr int64_t kFirstSample = 16;  // photos
constexpr int64_t kLargestSample = 512;
constexpr int64_t kLargestBatch = 64;       // of the measurement: larger ones have the same rate
constexpr int64_t kFixedMemory = 40 << 20;  // code, libraries, network, gradients

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Calls `work` for half a second; how often that is in one.
double calls_per_second(const std::function<void()>& work) {
  work();  // the first call makes rooms for the next
  const auto start = Clock::now();
  int64_t calls = 0;
  do {
    work();
    ++calls;
    if (stop_signal() != 0) throw Interrupted(stop_signal());
  } while (seconds_since(start) < kMeasuring);
  return static_cast<double>(calls) / seconds_since(start);
}

struct Decoded {
  ByteCache photos;
  double rate = 0;  // photos a second
};

Decoded decode(const TrainCommandOptions& options, const PhotoList& photos, int64_t count) {
  PhotoList sample;
  for (const int64_t place : spread_over(std::ssize(photos.items), count)) {
    sample.items.push_back(photos.items[static_cast<std::size_t>(place)]);
  }
  const ByteCacheOptions cache = byte_cache_options(options, count * kImageBytes);
  const auto start = Clock::now();
  ByteCache decoded(sample, cache, [](int64_t, int64_t) { return stop_signal() == 0; });
  return {std::move(decoded), static_cast<double>(std::ssize(sample.items)) / seconds_since(start)};
}

// A first few photos say how many more can be decoded in half a second.
Decoded measure_decoding(const TrainCommandOptions& options, const PhotoList& photos) {
  Decoded first = decode(options, photos, kFirstSample);
  const int64_t wanted = std::min<int64_t>(kLargestSample, std::llround(first.rate * kMeasuring));
  if (wanted <= kFirstSample || std::ssize(photos.items) <= kFirstSample) return first;
  return decode(options, photos, wanted);
}

// Images a second.
struct Rates {
  double train = 0, loss = 0;
  int64_t preview_bytes = 0;
};

Rates measure_network(const TrainCommandOptions& options, const ByteCache& photos, Device& device) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < std::min(options.training.batch_size, kLargestBatch); ++i) {
    indices.push_back(i % photos.size());
  }
  std::vector<uint8_t> images(indices.size() * std::size_t{kImageBytes});
  photos.gather(indices, images);
  device.set_parameters(initial_parameters(options.training.seed));
  device.set_optimizer({});
  const auto batch = static_cast<double>(indices.size());
  Rates rates;
  rates.train = batch * calls_per_second([&] { device.train_step(images, {}); });
  rates.loss = batch * calls_per_second([&] { device.loss(images); });

  const std::vector<int64_t> shown = preview_choice(photos.size());
  images.resize(shown.size() * std::size_t{kImageBytes});
  photos.gather(shown, images);
  rates.preview_bytes = std::ssize(preview_png(images, images));
  return rates;
}

// Where a run with these options would go on.
TrainPosition position_in(const TrainCommandOptions& options, const TrainPhotos& photos,
                          const DeviceFacts& device) {
  if (options.force) return {};
  const TrainFolder folder(options.model, options.rule);
  const auto state = folder.stored(options.training, train_settings(options, photos, device));
  return state ? position_of(*state) : TrainPosition{};
}

int64_t bytes_of_files(const PhotoList& photos) {
  int64_t bytes = 0;
  for (const PhotoItem& item : photos.items) bytes += bytes_of_file(item.path);
  return bytes;
}

std::string photos_text(const TrainPhotos& photos) {
  return fmt::format("{} to train on, {} to validate; {} of files",
                     format_count(std::ssize(photos.training.items)),
                     format_count(std::ssize(photos.validation.items)),
                     format_bytes(bytes_of_files(photos.training) + bytes_of_files(photos.validation)));
}

// Each list lies in memory or in a file as a whole (ByteCache), the one to train on first.
std::string memory_text(const TrainCommandOptions& options, int64_t training, int64_t validation) {
  const int64_t allowed = memory_for_photos(options);
  int64_t in_memory = 0, in_file = 0;
  for (const int64_t photos : {training, validation}) {
    const int64_t bytes = photos * kImageBytes;
    (bytes <= allowed - in_memory ? in_memory : in_file) += bytes;
  }
  const std::string where =
      in_file == 0 ? "in memory" : fmt::format("{} of it in a file under TMPDIR", format_bytes(in_file));
  return fmt::format("about {}: {} of decoded photos, {}", format_bytes(kFixedMemory + in_memory),
                     format_bytes(in_memory + in_file), where);
}

}  // namespace

int plan_training(const TrainCommandOptions& options) {
  watch_signals();
  std::string reason;
  const auto device = make_device(options.device, options.threads, &reason);
  require_apart(options);
  refuse_foreign_folder(options.model);
  const TrainPhotos photos = list_train_photos(options);
  const TrainPosition position = position_in(options, photos, device->facts());
  const int64_t training = std::ssize(photos.training.items),
                validation = std::ssize(photos.validation.items);
  const TrainOptions& asked = options.training;

  Plan plan;
  plan.add("plan", "nothing is written by --dry-run");
  plan.add("photos", photos_text(photos));
  plan.add("network", fmt::format("{} parameters; {} epochs of {} steps, {} images each",
                                  format_count(kParameterCount), format_count(asked.epochs),
                                  format_count((training + asked.batch_size - 1) / asked.batch_size),
                                  format_count(asked.batch_size)));
  plan.add("device", reason);
  if (train_ended(position, asked)) {
    plan.add("time", "none: " + options.model + " is finished already, --force starts over");
    print_output(plan.text());
    return static_cast<int>(ExitCode::kDone);
  }
  if (position.epoch > 0 || position.position > 0) {
    plan.add("resumes", fmt::format("after epoch {} and {} images of the next", position.epoch,
                                    format_count(position.position)));
  }
  plan.add("memory", memory_text(options, training, validation));

  const Decoded decoded = measure_decoding(options, photos.training);
  const int64_t measured = decoded.photos.size() + std::ssize(decoded.photos.refusals());
  if (decoded.photos.size() == 0) {
    throw no_input_error(fmt::format(
        "none of {} photos of {} that were tried can be used, {}: {}", format_count(measured), options.photos,
        decoded.photos.refusals().front().path, decoded.photos.refusals().front().reason));
  }
  const Rates rates = measure_network(options, decoded.photos, *device);
  const int64_t epochs = asked.epochs - position.epoch;
  constexpr int64_t kWeights = kParameterCount * int64_t{sizeof(float)};
  const int64_t disk = 5 * kWeights + asked.epochs * rates.preview_bytes;
  plan.add("disk", fmt::format("at most {} in {}, nearly all of it previews; {}", format_bytes(disk),
                               options.model, free_space_text(options.model, disk)));
  const double decoding = static_cast<double>(training + validation) / decoded.rate;
  const double steps = static_cast<double>(epochs * training - position.position) / rates.train +
                       static_cast<double>(epochs * validation) / rates.loss;
  plan.add("time", fmt::format("about {}{}: {} to read the photos ({}/s, measured on {}, {} refused), {} to "
                               "train ({}/s) and validate ({}/s)",
                               format_duration(decoding + steps), asked.patience > 0 ? " at most" : "",
                               format_duration(decoding), format_count(std::llround(decoded.rate)),
                               format_count(measured), format_count(std::ssize(decoded.photos.refusals())),
                               format_duration(steps), format_count(std::llround(rates.train)),
                               format_count(std::llround(rates.loss))));
  print_output(plan.text());
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
