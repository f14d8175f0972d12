#include "engine/cuda/device.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "engine/cuda/guarded.h"
#include "engine/cuda/half_encoder.h"
#include "engine/cuda/held_images.h"
#include "engine/cuda/kernel_order.h"
#include "engine/cuda/losses.h"
#include "engine/cuda/network_room.h"
#include "engine/cuda/training.h"
#include "kernels/cuda/nearest.h"

namespace lookalike::cuda {
namespace {

std::int64_t count_of(std::size_t size, std::int64_t each, const char* what) {
  if (size % static_cast<std::size_t>(each) != 0)
    throw std::invalid_argument(std::string(what) + " are not a whole number of items");
  return static_cast<std::int64_t>(size) / each;
}

class CudaDevice final : public Device {
  static std::span<const std::uint8_t> part(std::span<const std::uint8_t> images, std::int64_t first,
                                            std::int64_t count) {
    return images.subspan(static_cast<std::size_t>(first * kImageBytes),
                          static_cast<std::size_t>(count * kImageBytes));
  }
  Fill from_host(std::span<const std::uint8_t> images) {
    return [this, images](int slot, std::int64_t first, std::int64_t count) {
      room_.feed().put(slot, part(images, first, count));
    };
  }
  Fill from_held() {
    return [this](int slot, std::int64_t first, std::int64_t count) {
      held_->put(first, count, room_.network().images(slot));
    };
  }

 public:
  explicit CudaDevice(const CudaOptions& options) : options_(options) {
    gpu::fill(parameters_.data(), 0, parameters_.size() * sizeof(float), stream_);
    gpu::synchronize(stream_);
  }
  ~CudaDevice() override {
    try {
      gpu::synchronize(stream_);  // before memory that it may still use goes
    } catch (...) {               // NOLINT(bugprone-empty-catch): the device is lost, and so is its memory
    }
  }

  std::string prepare(const Workload& workload) override {
    return guarded([&] {
      require(workload.training ? workload.images : 0);
      return room_.network().plan().text();
    });
  }

  void set_parameters(std::span<const float> parameters) override {
    if (parameters.size() != kParameterCount) throw std::invalid_argument("parameters have the wrong length");
    guarded([&] { upload(parameters, parameters_); });
  }
  void get_parameters(std::span<float> parameters) const override {
    if (parameters.size() != kParameterCount) throw std::invalid_argument("parameters have the wrong length");
    guarded([&] { download(parameters_, parameters); });
  }
  void set_optimizer(const OptimizerState& state) override {
    if (state.m.size() != kParameterCount || state.v.size() != kParameterCount)
      throw std::invalid_argument("the optimizer's state has the wrong length");
    guarded([&] {
      upload(state.m, training_.m());
      upload(state.v, training_.v());
      training_.set_steps(state.step);
    });
  }
  OptimizerState optimizer() const override {
    OptimizerState state;
    guarded([&] {
      download(training_.m(), state.m);
      download(training_.v(), state.v);
    });
    state.step = training_.steps();
    return state;
  }

  void encode(std::span<const std::uint8_t> images, std::span<float> codes) override {
    const std::int64_t count = count_of(images.size(), kImageBytes, "images");
    if (count_of(codes.size(), kCodeLength, "codes") != count)
      throw std::invalid_argument("codes are not as many as images");
    guarded([&] {
      if (half_) {
        encode_in_half(images, codes);
        return;
      }
      forward(count, from_host(images), [&](std::int64_t first, int slot, const Network::Batch& batch) {
        room_.network().encode(weights(), slot, batch);
        return [this, to = codes.data() + first * kCodeLength, n = batch.images] {
          gpu::copy(to, room_.network().codes(), static_cast<std::size_t>(n * kCodeLength) * sizeof(float),
                    stream_);
        };
      });
    });
  }

  void set_precision(Precision precision) override {
    const gpu::Properties device = gpu::properties();
    if (precision == Precision::kHalf && device.major != 9)
      throw usage_error("fp16 needs a GPU of compute capability 9.0, this one has " +
                        std::to_string(device.major) + '.' + std::to_string(device.minor) +
                        ", use --precision float32");
    half_ = precision == Precision::kHalf;
  }

  void decode(std::span<const float> codes, std::span<std::uint8_t> images) override {
    const std::int64_t count = count_of(codes.size(), kCodeLength, "codes");
    if (count_of(images.size(), kImageBytes, "images") != count)
      throw std::invalid_argument("images are not as many as codes");
    if (count == 0) return;
    guarded([&] {
      require(0);
      training_.withdraw();  // the images' places are the results' too
      Network& network = room_.network();
      const std::int64_t most = options_.forward_images;
      for (std::int64_t first = 0; first < count; first += most) {
        const std::int64_t n = std::min(most, count - first);
        gpu::copy(network.codes(), codes.data() + first * kCodeLength,
                  static_cast<std::size_t>(n * kCodeLength) * sizeof(float), stream_);
        network.decode(weights(), 0, {n, most});
        gpu::copy(images.data() + first * kImageBytes, network.images(0),
                  static_cast<std::size_t>(n * kImageBytes), stream_);
      }
      gpu::synchronize(stream_);
    });
  }

  double loss(std::span<const std::uint8_t> images) override {
    const std::int64_t count = batch_of(images);
    return guarded([&] { return loss_of(count, from_host(images)); });
  }
  double loss_of_held(std::span<const std::int64_t> images) override {
    return guarded([&] { return loss_of(choose(images), from_held()); });
  }

  double train_step(std::span<const std::uint8_t> images, const AdamOptions& options) override {
    return train_step_ahead(images, options, {});
  }
  double train_step_ahead(std::span<const std::uint8_t> images, const AdamOptions& options,
                          const Ahead& ahead) override {
    const std::int64_t count = batch_of(images);
    return guarded([&] { return training_.step(count, options, from_host(images), ahead); });
  }
  double train_step_on_held(std::span<const std::int64_t> images, const AdamOptions& options) override {
    return guarded([&] { return training_.step(choose(images), options, from_held(), {}); });
  }

  Held hold(const ImageSource& images) override {
    return guarded([&] {
      held_.reset();
      require(0);
      // A quarter of what is free stays so: for encoding in fp16, search, and what else runs on the device.
      const std::int64_t room = room_.free_bytes() / 4 * 3;
      if (images.size < 1 || images.size > room / kImageBytes) return Held::kNoRoom;
      try {
        held_.emplace(images, stream_);
      } catch (const gpu::Error& error) {
        if (!error.out_of_memory) throw;
        return Held::kNoRoom;
      }
      return Held::kHeld;
    });
  }

  void nearest(const SearchBlock& block, TopK& best) override {
    guarded([&] {
      if (!nearest_) nearest_.emplace();
      nearest_->run(
          {block.queries, block.rows, block.dimension, block.allowed, block.groups.rows,
           block.groups.queries},
          best.k(), [&](std::int64_t query) { return best.limit(query); },
          [&](std::int64_t query, std::span<const double> distances, std::span<const std::int64_t> rows) {
            for (std::size_t i = 0; i < rows.size(); ++i)
              best.insert(query, {distances[i], block.first_row + rows[i]});
          });
    });
  }

  DeviceFacts facts() const override {
    return guarded([&] {
      const gpu::Properties device = gpu::properties();
      DeviceFacts facts;
      facts.kind = "cuda";
      facts.instruction_set = "sm_" + std::to_string(device.major) + std::to_string(device.minor);
      facts.name = "CUDA (" + device.name + ", " + facts.instruction_set + ", cuDNN " +
                   ConvolutionLibrary::version() + ")";
      facts.memory_bytes = device.memory_bytes;
      return facts;
    });
  }

 private:
  static std::int64_t batch_of(std::span<const std::uint8_t> images) {
    if (images.empty()) throw std::invalid_argument("a batch has no images");
    return count_of(images.size(), kImageBytes, "images");
  }
  ParameterView<const float> weights() const { return {parameters_.data()}; }

  void upload(std::span<const float> flat, const gpu::Buffer<float>& to) {
    std::vector<float> ordered(kParameterCount);
    to_device_order(flat, ordered);
    gpu::copy(to.data(), ordered.data(), ordered.size() * sizeof(float), stream_);
    gpu::synchronize(stream_);
  }
  void download(const gpu::Buffer<float>& from, std::span<float> flat) const {
    std::vector<float> ordered(kParameterCount);
    gpu::copy(ordered.data(), from.data(), ordered.size() * sizeof(float), stream_);
    gpu::synchronize(stream_);
    from_device_order(ordered, flat);
  }

  void encode_in_half(std::span<const std::uint8_t> images, std::span<float> codes) {
    if (!half_encoder_) half_encoder_.emplace(options_.half_images, stream_);
    std::vector<float> parameters(kParameterCount);
    download(parameters_, parameters);
    half_encoder_->set_parameters(parameters);
    half_encoder_->encode(images, codes);
  }

  void require(std::int64_t training_images) {
    if (room_.require(training_images)) training_.withdraw();
  }
  std::int64_t choose(std::span<const std::int64_t> images) {
    if (!held_) throw std::logic_error("the device holds no images");
    if (images.empty()) throw std::invalid_argument("a batch has no images");
    held_->choose(images);
    return static_cast<std::int64_t>(images.size());
  }

  // begin(first image, slot, batch) queues a part's work and returns what fetches its result; the next part
  // is on its way before that waits.
  template <class Begin>
  void forward(std::int64_t count, const Fill& fill, const Begin& begin) {
    if (count == 0) return;
    require(0);
    training_.withdraw();
    const std::int64_t most = options_.forward_images;
    fill(0, 0, std::min(most, count));
    int slot = 0;
    for (std::int64_t first = 0; first < count; first += most, slot = 1 - slot) {
      const std::int64_t n = std::min(most, count - first);
      const auto fetch = begin(first, slot, Network::Batch{n, most});
      room_.feed().done(slot);
      const std::int64_t next = first + n;
      if (next < count) fill(1 - slot, next, std::min(most, count - next));
      fetch();
    }
    gpu::synchronize(stream_);
  }

  double loss_of(std::int64_t count, const Fill& fill) {
    losses_.require(count);
    forward(count, fill, [&](std::int64_t first, int slot, const Network::Batch& batch) {
      room_.network().loss(weights(), slot, batch, losses_.device() + first);
      return [] {};
    });
    losses_.fetch(count);
    gpu::synchronize(stream_);
    return losses_.mean(count);
  }

  CudaOptions options_;
  gpu::OwnedStream stream_;
  NetworkRoom room_{options_, stream_};
  gpu::Buffer<float> parameters_{std::size_t{kParameterCount}};
  Losses losses_{stream_};
  Training training_{options_, room_, losses_, parameters_, stream_};
  std::optional<HeldImages> held_;
  std::optional<Nearest> nearest_;
  bool half_ = false;
  std::optional<HalfEncoder> half_encoder_;
};

}  // namespace

std::unique_ptr<Device> make_cuda_device(const CudaOptions& options) {
  std::string reason;
  if (!gpu::available(&reason)) throw usage_error("no CUDA device answers: " + reason);
  try {
    return std::make_unique<CudaDevice>(options);
  } catch (const gpu::Error& error) {
    if (error.out_of_memory) throw system_error(std::string("device memory: ") + error.what());
    throw device_error(std::string("the GPU failed: ") + error.what());
  }
}

}  // namespace lookalike::cuda
