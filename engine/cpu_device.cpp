// The CPU: threads over images, each with its own workspace. An image's gradient goes to its own slot; slots
// and losses are added in image order, so no result depends on the number of threads.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/nearest.h"
#include "engine/non_finite.h"
#include "engine/thread_pool.h"
#include "kernels/cpu/autoencoder.h"
#include "kernels/cpu/processor.h"

namespace lookalike {
namespace {

// Images whose gradients wait in slots before they are added up.
constexpr int64_t kGroup = 64;

constexpr int64_t kElements = kImageBytes;  // of one image in the loss

int64_t count_of(std::size_t size, int64_t each, const char* what) {
  if (size % static_cast<std::size_t>(each) != 0) {
    throw std::invalid_argument(std::string(what) + " are not a whole number of items");
  }
  return static_cast<int64_t>(size) / each;
}

// Name of the first tensor with a number that is not finite, empty where there is none.
std::string first_not_finite(std::span<const float> parameters) {
  for (int tensor = 0; tensor < kTensorCount; ++tensor) {
    const TensorPlace place = tensor_place(tensor);
    const auto part =
        parameters.subspan(static_cast<std::size_t>(place.offset), static_cast<std::size_t>(place.count));
    if (!std::all_of(part.begin(), part.end(), [](float x) { return std::isfinite(x); })) return place.name;
  }
  return {};
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads) : pool_(threads) {
    for (int t = 0; t < threads; ++t) workspaces_.push_back(cpu::make_workspace());
    pack_parameters();
  }

  void set_parameters(std::span<const float> parameters) override {
    if (parameters.size() != parameters_.size())
      throw std::invalid_argument("parameters have the wrong length");
    std::copy(parameters.begin(), parameters.end(), parameters_.begin());
    pack_parameters();
  }
  void get_parameters(std::span<float> parameters) const override {
    if (parameters.size() != parameters_.size())
      throw std::invalid_argument("parameters have the wrong length");
    std::copy(parameters_.begin(), parameters_.end(), parameters.begin());
  }
  void set_optimizer(const OptimizerState& state) override {
    if (state.m.size() != parameters_.size() || state.v.size() != parameters_.size()) {
      throw std::invalid_argument("the optimizer's state has the wrong length");
    }
    optimizer_ = state;
  }
  OptimizerState optimizer() const override { return optimizer_; }

  void encode(std::span<const uint8_t> images, std::span<float> codes) override {
    const int64_t count = count_of(images.size(), kImageBytes, "images");
    if (count_of(codes.size(), kCodeLength, "codes") != count)
      throw std::invalid_argument("codes are not as many as images");
    pool_.for_each(count, [&](int64_t i, int thread) {
      cpu::encode_image(*packed_, images.data() + i * kImageBytes, workspace(thread),
                        codes.data() + i * kCodeLength);
    });
  }

  void decode(std::span<const float> codes, std::span<uint8_t> images) override {
    const int64_t count = count_of(codes.size(), kCodeLength, "codes");
    if (count_of(images.size(), kImageBytes, "images") != count)
      throw std::invalid_argument("images are not as many as codes");
    pool_.for_each(count, [&](int64_t i, int thread) {
      cpu::decode_code(*packed_, codes.data() + i * kCodeLength, workspace(thread),
                       images.data() + i * kImageBytes);
    });
  }

  double loss(std::span<const uint8_t> images) override {
    const int64_t count = batch_of(images);
    losses_.resize(static_cast<std::size_t>(count));
    pool_.for_each(count, [&](int64_t i, int thread) {
      losses_[static_cast<std::size_t>(i)] =
          cpu::image_loss(*packed_, images.data() + i * kImageBytes, workspace(thread));
    });
    return mean_loss();
  }

  double train_step(std::span<const uint8_t> images, const AdamOptions& options) override {
    const int64_t count = batch_of(images);
    // A dead ReLU can hide a weight that is not finite from loss and gradient.
    if (const std::string tensor = first_not_finite(parameters_); !tensor.empty()) {
      throw weight_error(tensor);
    }
    const auto scale =
        static_cast<float>(1.0 / (static_cast<double>(count) * static_cast<double>(kElements)));
    losses_.resize(static_cast<std::size_t>(count));
    // The first slot carries the sum of the groups before.
    slots_.resize(static_cast<std::size_t>((std::min(count, kGroup) + 1) * kParameterCount));
    std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    for (int64_t start = 0; start < count; start += kGroup) {
      const int64_t group = std::min(kGroup, count - start);
      pool_.for_each(group, [&](int64_t i, int thread) {
        losses_[static_cast<std::size_t>(start + i)] =
            cpu::image_gradient(*packed_, images.data() + (start + i) * kImageBytes, scale, workspace(thread),
                                slots_.data() + (i + 1) * kParameterCount);
      });
      std::copy(gradient_.begin(), gradient_.end(), slots_.begin());
      cpu::sum_slots(std::span(slots_).first(static_cast<std::size_t>((group + 1) * kParameterCount)),
                     gradient_);
    }
    const double mean = mean_loss();
    const int64_t step = optimizer_.step + 1;
    if (!std::isfinite(mean)) throw loss_error(step);
    if (const std::string tensor = first_not_finite(gradient_); !tensor.empty())
      throw gradient_error(tensor, step);
    ++optimizer_.step;
    cpu::adam_step(options, optimizer_.step, gradient_, parameters_, optimizer_.m, optimizer_.v);
    pack_parameters();
    if (const std::string tensor = first_not_finite(parameters_); !tensor.empty()) {
      throw stepped_weight_error(tensor, step);
    }
    return mean;
  }

  void nearest(const SearchBlock& block, TopK& best) override { nearest_on_cpu(block, best, pool_); }

  DeviceFacts facts() const override {
    DeviceFacts facts;
    facts.kind = "cpu";
    facts.instruction_set = cpu::instruction_set();
    facts.name = "CPU (" + cpu::processor_name() + ", " + facts.instruction_set + ")";
    facts.memory_bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
    facts.threads = pool_.threads();
    return facts;
  }

 private:
  cpu::Workspace& workspace(int thread) { return *workspaces_[static_cast<std::size_t>(thread)]; }

  static int64_t batch_of(std::span<const uint8_t> images) {
    if (images.empty()) throw std::invalid_argument("a batch has no images");
    return count_of(images.size(), kImageBytes, "images");
  }

  void pack_parameters() {
    cpu::pack(std::span<const float, kParameterCount>(parameters_.data(), kParameterCount), *packed_);
  }

  double mean_loss() const {
    double sum = 0.0;
    for (const double loss : losses_) sum += loss;
    return sum / (static_cast<double>(losses_.size()) * static_cast<double>(kElements));
  }

  ThreadPool pool_;
  std::vector<cpu::WorkspacePointer> workspaces_;
  cpu::PackedPointer packed_ = cpu::make_packed_parameters();
  std::vector<float> parameters_ = std::vector<float>(kParameterCount, 0.0F);
  std::vector<float> gradient_ = std::vector<float>(kParameterCount, 0.0F);
  OptimizerState optimizer_;
  std::vector<float> slots_;
  std::vector<double> losses_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  return std::make_unique<CpuDevice>(threads > 0 ? threads : usable_cores());
}

}  // namespace lookalike
