#include "engine/train.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "engine/error.h"
#include "engine/random.h"

namespace lookalike {
namespace {

// One epoch's batches: where the device holds the images, their numbers; else their bytes, with a second room
// for the next batch where the device asks for it while it computes one.
class Batches {
 public:
  Batches(const ImageSource& source, int64_t batch_size, int64_t held_from)
      : source_(source), batch_size_(batch_size), held_from_(held_from) {}

  // order (source.size): a permutation of the indices, which stays until the next one.
  void set_order(std::span<const int64_t> order) {
    order_ = order;
    room_.empty();
    next_room_.empty();
  }
  int64_t count(int64_t first) const { return std::min(batch_size_, source_.size - first); }

  double loss(Device& device, int64_t first) {
    return held_from_ >= 0 ? device.loss_of_held(numbers(first)) : device.loss(images(first, room_));
  }
  double train_step(Device& device, int64_t first, const AdamOptions& adam) {
    if (held_from_ >= 0) return device.train_step_on_held(numbers(first), adam);
    if (next_room_.first == first) std::swap(room_, next_room_);
    const int64_t next = first + count(first);
    const auto current = images(first, room_);
    return device.train_step_ahead(current, adam,
                                   {room_.ticket, [&](uint64_t ticket) -> std::span<const uint8_t> {
                                      if (next >= source_.size) return {};
                                      const auto following = images(next, next_room_);
                                      next_room_.ticket = ticket;
                                      return following;
                                    }});
  }

 private:
  struct Room {
    std::vector<uint8_t> images;
    int64_t first = -1;   // place in the order of the first image; -1: empty
    uint64_t ticket = 0;  // of the device, which has them too
    void empty() {
      first = -1;
      ticket = 0;
    }
  };

  std::span<const int64_t> indices(int64_t first) const {
    return order_.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count(first)));
  }
  std::span<const int64_t> numbers(int64_t first) {
    const auto chosen = indices(first);
    numbers_.assign(chosen.begin(), chosen.end());
    for (int64_t& number : numbers_) number += held_from_;
    return numbers_;
  }
  std::span<const uint8_t> images(int64_t first, Room& room) const {
    const auto chosen = indices(first);
    const std::size_t bytes = chosen.size() * std::size_t{kImageBytes};
    if (room.images.size() < bytes) room.images.resize(bytes);
    const auto out = std::span(room.images).first(bytes);
    if (room.first == first) return out;
    room.empty();
    source_.gather(chosen, out);
    room.first = first;
    return out;
  }

  const ImageSource& source_;
  int64_t batch_size_, held_from_;
  std::span<const int64_t> order_;
  Room room_, next_room_;
  std::vector<int64_t> numbers_;
};

std::vector<float> parameters_of(const Device& device) {
  std::vector<float> parameters(kParameterCount);
  device.get_parameters(parameters);
  return parameters;
}

double step(Device& device, Batches& batches, const TrainOptions& options, const TrainPosition& position) {
  AdamOptions adam;
  adam.learning_rate = options.learning_rate;
  try {
    const double loss = batches.train_step(device, position.position, adam);
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

double mean_loss(Device& device, const ImageSource& images, int64_t batch_size,
                 const std::function<void()>& before_batch, int64_t held_from) {
  std::vector<int64_t> order(static_cast<std::size_t>(images.size));
  std::iota(order.begin(), order.end(), int64_t{0});
  Batches batches(images, batch_size, held_from);
  batches.set_order(order);
  double sum = 0;
  for (int64_t first = 0; first < images.size; first += batch_size) {
    if (before_batch) before_batch();
    sum += batches.loss(device, first) * static_cast<double>(batches.count(first));
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
               const TrainOptions& options, TrainPosition& position, const TrainObserver& observer,
               const HeldFrom& held) {
  if (training.size <= 0) throw no_input_error("there is no image to train on");
  Batches batches(training, options.batch_size, held.training);
  for (;;) {
    if (const auto end = train_ended(position, options)) return *end;
    const std::vector<int64_t> order = shuffled(training.size, options.seed, position.epoch);
    batches.set_order(order);
    while (position.position < training.size) {
      const int64_t count = batches.count(position.position);
      const double loss = step(device, batches, options, position);
      position.position += count;
      position.epoch_loss_sum += loss * static_cast<double>(count);
      if (observer.after_step(position, loss)) {
        observer.on_pause(position);
        return TrainEnd::kPaused;
      }
    }
    double validation_loss = std::numeric_limits<double>::quiet_NaN();
    if (validation.size > 0) {
      validation_loss =
          mean_loss(device, validation, options.batch_size, observer.while_validating, held.validation);
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
