#include "engine/train.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/error.h"
#include "engine/random.h"

namespace lookalike {
namespace {

// Rooms for one batch, no larger than the source needs.
class Batch {
 public:
  Batch(const ImageSource& source, int64_t batch_size)
      : source_(source), images_(static_cast<std::size_t>(std::min(batch_size, source.size) * kImageBytes)) {}

  std::span<const uint8_t> gather(std::span<const int64_t> indices) {
    const std::span<uint8_t> out = std::span(images_).first(indices.size() * std::size_t{kImageBytes});
    source_.gather(indices, out);
    return out;
  }

 private:
  const ImageSource& source_;
  std::vector<uint8_t> images_;
};

std::vector<float> parameters_of(const Device& device) {
  std::vector<float> parameters(kParameterCount);
  device.get_parameters(parameters);
  return parameters;
}

double step(Device& device, std::span<const uint8_t> images, const TrainOptions& options,
            const TrainPosition& position) {
  AdamOptions adam;
  adam.learning_rate = options.learning_rate;
  try {
    const double loss = device.train_step(images, adam);
    if (std::isfinite(loss)) return loss;
    throw non_finite_error("the loss is not finite, lower the learning rate");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kNonFinite) throw;
    throw non_finite_error("in epoch " + std::to_string(position.epoch + 1) + ", " + error.what());
  }
}

// Closes the epoch in `position`.
EpochResult finish_epoch(const Device& device, double loss, double validation_loss, TrainPosition& position) {
  ++position.epoch;
  position.position = 0;
  position.epoch_loss_sum = 0;
  EpochResult result{position.epoch, loss, validation_loss, false};
  const double compared = std::isnan(validation_loss) ? loss : validation_loss;
  result.best = position.best_epoch == 0 || compared < position.best_loss;
  if (result.best) {
    position.best_parameters = parameters_of(device);
    position.best_loss = compared;
    position.best_epoch = position.epoch;
  }
  return result;
}

}  // namespace

double mean_loss(Device& device, const ImageSource& images, int64_t batch_size) {
  Batch batch(images, batch_size);
  std::vector<int64_t> indices;
  double sum = 0;
  for (int64_t first = 0; first < images.size; first += batch_size) {
    const int64_t count = std::min(batch_size, images.size - first);
    indices.clear();
    for (int64_t i = 0; i < count; ++i) indices.push_back(first + i);
    sum += device.loss(batch.gather(indices)) * static_cast<double>(count);
  }
  return sum / static_cast<double>(images.size);
}

std::optional<TrainEnd> train_ended(const TrainPosition& position, const TrainOptions& options) {
  if (position.epoch >= options.epochs) return TrainEnd::kFinished;
  if (options.patience > 0 && position.epoch - position.best_epoch >= options.patience) {
    return TrainEnd::kPatience;
  }
  return std::nullopt;
}

TrainEnd train(Device& device, const ImageSource& training, const ImageSource& validation,
               const TrainOptions& options, TrainPosition& position, const TrainObserver& observer) {
  if (training.size <= 0) throw no_input_error("there is no image to train on");
  Batch batch(training, options.batch_size);
  for (;;) {
    if (const auto end = train_ended(position, options)) return *end;
    const std::vector<int64_t> order = shuffled(training.size, options.seed, position.epoch);
    while (position.position < training.size) {
      const int64_t count = std::min(options.batch_size, training.size - position.position);
      const auto indices = std::span(order).subspan(static_cast<std::size_t>(position.position),
                                                    static_cast<std::size_t>(count));
      const double loss = step(device, batch.gather(indices), options, position);
      position.position += count;
      position.epoch_loss_sum += loss * static_cast<double>(count);
      if (observer.after_step(position, loss)) {
        observer.on_pause(position);
        return TrainEnd::kPaused;
      }
    }
    double validation_loss = std::numeric_limits<double>::quiet_NaN();
    if (validation.size > 0) {
      validation_loss = mean_loss(device, validation, options.batch_size);
      if (!std::isfinite(validation_loss)) {
        throw non_finite_error("in epoch " + std::to_string(position.epoch + 1) +
                               ", the validation loss is not finite, lower the learning rate");
      }
    }
    const double loss = position.epoch_loss_sum / static_cast<double>(training.size);
    const EpochResult result = finish_epoch(device, loss, validation_loss, position);
    observer.after_epoch(position, result);
  }
}

}  // namespace lookalike
