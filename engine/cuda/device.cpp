#include "engine/cuda/device.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/cuda/half_encoder.h"
#include "engine/cuda/image_feed.h"
#include "engine/cuda/kernel_order.h"
#include "engine/cuda/network.h"
#include "engine/error.h"
#include "engine/non_finite.h"
#include "kernels/cuda/adam.h"
#include "kernels/cuda/nearest.h"
#include "kernels/cuda/non_finite.h"

namespace lookalike::cuda {
namespace {

std::int64_t count_of(std::size_t size, std::int64_t each, const char* what) {
  if (size % static_cast<std::size_t>(each) != 0)
    throw std::invalid_argument(std::string(what) + " are not a whole number of items");
  return static_cast<std::int64_t>(size) / each;
}

TensorBounds tensor_bounds() {
  TensorBounds bounds;
  bounds.tensors = kTensorCount;
  for (int t = 0; t < kTensorCount; ++t) bounds.begin[static_cast<std::size_t>(t)] = tensor_place(t).offset;
  bounds.begin[kTensorCount] = kParameterCount;
  return bounds;
}

class Stream {
 public:
  Stream() : stream_(gpu::make_stream()) {}
  ~Stream() { gpu::release_stream(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator gpu::Stream() const { return stream_; }  // NOLINT(google-explicit-constructor)

 private:
  gpu::Stream stream_;
};

// Flags of a step, one for each tensor: not finite before it, in the gradient, after it.
enum Moment { kBefore, kGradient, kAfter, kMoments };

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(const CudaOptions& options) : options_(options) {
    for (gpu::Buffer<float>* buffer : {&parameters_, &gradient_, &m_, &v_})
      gpu::fill(buffer->data(), 0, buffer->size() * sizeof(float), stream_);
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
      require(workload.images, workload.training);
      return network_->plan().text();
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
      upload(state.m, m_);
      upload(state.v, v_);
    });
    step_ = state.step;
  }
  OptimizerState optimizer() const override {
    OptimizerState state;
    guarded([&] {
      download(m_, state.m);
      download(v_, state.v);
    });
    state.step = step_;
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
      forward(images, [&](std::int64_t first, int slot, const Network::Batch& batch) {
        network_->encode(weights(), slot, batch);
        return [this, to = codes.data() + first * kCodeLength, n = batch.images] {
          gpu::copy(to, network_->codes(), static_cast<std::size_t>(n * kCodeLength) * sizeof(float),
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
      require(0, false);
      const std::int64_t most = options_.forward_images;
      for (std::int64_t first = 0; first < count; first += most) {
        const std::int64_t n = std::min(most, count - first);
        gpu::copy(network_->codes(), codes.data() + first * kCodeLength,
                  static_cast<std::size_t>(n * kCodeLength) * sizeof(float), stream_);
        network_->decode(weights(), 0, {n, most});
        gpu::copy(images.data() + first * kImageBytes, network_->images(0),
                  static_cast<std::size_t>(n * kImageBytes), stream_);
      }
      gpu::synchronize(stream_);
    });
  }

  double loss(std::span<const std::uint8_t> images) override {
    const std::int64_t count = batch_of(images);
    return guarded([&] {
      require_losses(count);
      forward(images, [&](std::int64_t first, int slot, const Network::Batch& batch) {
        network_->loss(weights(), slot, batch, losses_.data() + first);
        return [] {};
      });
      return mean_loss(count);
    });
  }

  double train_step(std::span<const std::uint8_t> images, const AdamOptions& options) override {
    const std::int64_t count = batch_of(images);
    return guarded([&] {
      const std::int64_t most = std::min(count, options_.training_images);
      require(count, true);
      require_losses(count);
      const auto scale =
          static_cast<float>(1.0 / (static_cast<double>(count) * static_cast<double>(kImageBytes)));
      look(parameters_, kBefore);
      feed_->put(0, part(images, 0, std::min(most, count)));
      int slot = 0;
      for (std::int64_t first = 0; first < count; first += most, slot = 1 - slot) {
        const std::int64_t n = std::min(most, count - first);
        network_->gradient(weights(), slot, {n, n}, scale, first > 0, losses_.data() + first,
                           {gradient_.data()});
        feed_->done(slot);
        const std::int64_t next = first + n;
        if (next < count) feed_->put(1 - slot, part(images, next, std::min(most, count - next)));
      }
      look(gradient_, kGradient);
      adam_step(options, step_ + 1, {losses_.data(), count, flags_.data(), kAfter * kTensorCount},
                {gradient_.data(), parameters_.data(), m_.data(), v_.data(), kParameterCount}, stream_);
      look(parameters_, kAfter);
      return finish_step(count);
    });
  }

  void nearest(const SearchBlock& block, TopK& best) override {
    guarded([&] {
      if (!nearest_) nearest_.emplace();
      nearest_->run(
          {block.queries, block.rows, block.dimension, block.allowed}, best.k(),
          [&](std::int64_t query) { return best.limit(query); },
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
  // What the device could not do, as this project's errors.
  template <class Work>
  static std::invoke_result_t<Work> guarded(const Work& work) {
    try {
      return work();
    } catch (const gpu::Error& error) {
      if (error.out_of_memory)
        throw system_error(std::string("device memory: ") + error.what() +
                           ", close what else runs on the GPU, or use --device cpu");
      throw device_error(std::string("the GPU failed: ") + error.what() + ", use --device cpu");
    }
  }

  static std::int64_t batch_of(std::span<const std::uint8_t> images) {
    if (images.empty()) throw std::invalid_argument("a batch has no images");
    return count_of(images.size(), kImageBytes, "images");
  }
  static std::span<const std::uint8_t> part(std::span<const std::uint8_t> images, std::int64_t first,
                                            std::int64_t count) {
    return images.subspan(static_cast<std::size_t>(first * kImageBytes),
                          static_cast<std::size_t>(count * kImageBytes));
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

  // A network for such a workload: the present one, or a larger.
  std::unique_ptr<Network> plan_network(std::int64_t training_images) const {
    std::vector<std::int64_t> batches = {options_.forward_images};
    if (training_images > 0) batches.push_back(training_images);
    return std::make_unique<Network>(library_, stream_, std::max(options_.forward_images, training_images),
                                     training_images > 0, batches);
  }

  // Has memory for batches of so many images, 0 of which need more than forward_images.
  void require(std::int64_t images, bool training) {
    std::int64_t most = training ? std::min(images, options_.training_images) : 0;
    if (network_ && network_->most() >= most && (network_->training() || !training)) {
      const std::int64_t rest = training ? images % options_.training_images : 0;
      if ((most == 0 || network_->take_batch(most)) && (rest == 0 || network_->take_batch(rest))) return;
    }
    if (network_) {
      // What the old network could do, the new one can.
      if (network_->training()) most = std::max(most, network_->most());
      gpu::synchronize(stream_);
      feed_.reset();
      network_.reset();
    }
    auto planned = plan_network(most);
    const std::int64_t rest = training ? images % options_.training_images : 0;
    if (rest != 0 && !planned->take_batch(rest))
      planned = std::make_unique<Network>(library_, stream_, planned->most(), true,
                                          std::vector{options_.forward_images, most, rest});
    std::int64_t free = gpu::free_bytes();
    if (options_.memory_bytes > 0) free = std::min(free, options_.memory_bytes);
    if (planned->plan().bytes() > free) throw short_of_memory(*planned, most, free);
    planned->allocate();
    network_ = std::move(planned);
    feed_.emplace(static_cast<std::size_t>(network_->most() * kImageBytes),
                  std::array{network_->images(0), network_->images(1)}, stream_);
  }

  // The largest batch that fits is found by halving between one that does not and one that does.
  Error short_of_memory(const Network& planned, std::int64_t most, std::int64_t free) const {
    const auto megabytes = [](std::int64_t bytes) {
      return std::to_string((bytes + 999999) / 1000000) + " MB";
    };
    std::int64_t fits = 0, above = most;
    while (above - fits > 1) {
      const std::int64_t middle = fits + (above - fits) / 2;
      (plan_network(middle)->plan().bytes() <= free ? fits : above) = middle;
    }
    const std::string need = "the GPU has " + megabytes(free) + " free";
    if (most == 0)
      return system_error(need + ", encoding needs " + megabytes(planned.plan().bytes()) +
                          ", close what else runs on it, or use --device cpu");
    return system_error(need + ", training " + std::to_string(most) + " images at once needs " +
                        megabytes(planned.plan().bytes()) + ", " +
                        (fits > 0 ? "use --batch-size " + std::to_string(fits) + " or less"
                                  : "close what else runs on it, or use --device cpu"));
  }

  void encode_in_half(std::span<const std::uint8_t> images, std::span<float> codes) {
    if (!half_encoder_) half_encoder_.emplace(options_.half_images, stream_);
    std::vector<float> parameters(kParameterCount);
    download(parameters_, parameters);
    half_encoder_->set_parameters(parameters);
    half_encoder_->encode(images, codes);
  }

  void require_losses(std::int64_t count) {
    if (static_cast<std::int64_t>(losses_.size()) >= count) return;
    gpu::synchronize(stream_);
    losses_ = gpu::Buffer<double>(static_cast<std::size_t>(count));
  }

  // begin(first image, slot, batch) queues a part's work and returns what fetches its result; the next part
  // is on its way before that waits.
  template <class Begin>
  void forward(std::span<const std::uint8_t> images, const Begin& begin) {
    const std::int64_t count = static_cast<std::int64_t>(images.size()) / kImageBytes;
    if (count == 0) return;
    require(0, false);
    const std::int64_t most = options_.forward_images;
    feed_->put(0, part(images, 0, std::min(most, count)));
    int slot = 0;
    for (std::int64_t first = 0; first < count; first += most, slot = 1 - slot) {
      const std::int64_t n = std::min(most, count - first);
      const auto fetch = begin(first, slot, Network::Batch{n, most});
      feed_->done(slot);
      const std::int64_t next = first + n;
      if (next < count) feed_->put(1 - slot, part(images, next, std::min(most, count - next)));
      fetch();
    }
    gpu::synchronize(stream_);
  }

  void look(const gpu::Buffer<float>& values, Moment moment) {
    find_non_finite(values.data(), tensor_bounds(), flags_.data() + moment * kTensorCount, stream_);
  }

  // Waits. In the order of images, as the CPU adds them.
  double mean_loss(std::int64_t count) {
    host_losses_.resize(static_cast<std::size_t>(count));
    gpu::copy(host_losses_.data(), losses_.data(), host_losses_.size() * sizeof(double), stream_);
    gpu::synchronize(stream_);
    double sum = 0.0;
    for (const double loss : host_losses_) sum += loss;
    return sum / (static_cast<double>(count) * static_cast<double>(kImageBytes));
  }

  // The device has kept weights and optimizer as they were wherever this throws anything but the last.
  double finish_step(std::int64_t count) {
    std::array<std::int32_t, std::size_t{kMoments} * kTensorCount> flags{};
    gpu::copy(flags.data(), flags_.data(), sizeof flags, stream_);
    const double mean = mean_loss(count);
    const auto first = [&](Moment moment) -> std::optional<std::string> {
      for (int t = 0; t < kTensorCount; ++t)
        if (flags[static_cast<std::size_t>(moment * kTensorCount + t)] != 0) return tensor_place(t).name;
      return {};
    };
    if (const auto tensor = first(kBefore)) throw weight_error(*tensor);
    if (!std::isfinite(mean)) throw loss_error(step_ + 1);
    if (const auto tensor = first(kGradient)) throw gradient_error(*tensor, step_ + 1);
    ++step_;
    if (const auto tensor = first(kAfter)) throw stepped_weight_error(*tensor, step_);
    return mean;
  }

  CudaOptions options_;
  Stream stream_;
  ConvolutionLibrary library_{stream_};
  gpu::Buffer<float> parameters_{std::size_t{kParameterCount}}, gradient_{std::size_t{kParameterCount}};
  gpu::Buffer<float> m_{std::size_t{kParameterCount}}, v_{std::size_t{kParameterCount}};
  gpu::Buffer<std::int32_t> flags_{std::size_t{kMoments} * kTensorCount};
  gpu::Buffer<double> losses_;
  std::vector<double> host_losses_;
  std::int64_t step_ = 0;
  std::unique_ptr<Network> network_;
  std::optional<ImageFeed> feed_;
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
