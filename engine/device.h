// The boundary: what the project asks of a processor. Above it nothing knows which device runs.
//
// A device is used by one thread at a time; inside it may use many. Spans are in the host's memory. Results
// of encode, decode, loss and train_step are the same bytes for any number of threads on one device and
// instruction set; results of nearest are the same bytes on every device.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/image_source.h"
#include "engine/row_groups.h"
#include "engine/top_k.h"
#include "kernels/cpu/adam.h"
#include "kernels/topology.h"

namespace lookalike {

// What Adam carries from step to step. m, v (kParameterCount); step counts the updates done.
struct OptimizerState {
  std::vector<float> m = std::vector<float>(kParameterCount, 0.0F);
  std::vector<float> v = std::vector<float>(kParameterCount, 0.0F);
  int64_t step = 0;
};

struct DeviceFacts {
  std::string name;             // "CPU (AMD EPYC, AVX2)"
  std::string kind;             // "cpu" or "cuda"
  std::string instruction_set;  // "AVX2", "sm_90"
  int64_t memory_bytes = 0;
  int threads = 0;
};

// How encode computes. fp16 is the faster where a device has it; its codes err by about 2^-11 of themselves.
enum class Precision { kFloat32, kHalf };
inline const char* to_string(Precision precision) {
  return precision == Precision::kFloat32 ? "float32" : "fp16";
}

// Queries against one block of catalog rows.
struct SearchBlock {
  std::span<const float> queries;  // (Q, dimension)
  std::span<const float> rows;     // (M, dimension)
  int64_t dimension = kCodeLength;
  int64_t first_row = 0;             // catalog row of rows[0]
  std::span<const uint8_t> allowed;  // (M), zero leaves the row out; empty allows all
  RowGroups groups = {};             // of the M rows and Q queries
};

// What a device will be asked for.
struct Workload {
  int64_t images = 0;  // of the largest batch
  bool training = false;
};

// A step's part in bringing images to the device before their own step.
struct Ahead {
  // Not 0: the images of this step are those that came ahead with this ticket, if the device still has them;
  // their bytes may then not be read again.
  uint64_t ticket = 0;
  // May be called once, when the step is queued, with a ticket that the device never gave before; returns the
  // next step's images (empty: none). The ticket is good for the next step alone; any other call may make the
  // device forget them. What it throws counts as none: this step goes on.
  std::function<std::span<const uint8_t>(uint64_t ticket)> next = {};
};

enum class Held { kNotNeeded, kNoRoom, kHeld };  // kNotNeeded: it computes in the host's memory

class Device {
 public:
  virtual ~Device() = default;

  // Takes the memory that the workload needs, before the work starts; what was taken, a line for each part,
  // or empty where a device has no such plan. Throws E_SYSTEM, naming the batch that fits, where memory is
  // short. Without it memory is taken at the first call that needs it.
  virtual std::string prepare(const Workload& /*workload*/) { return {}; }

  // Autoencoder. parameters (kParameterCount) in topology.h's order; images (N, 150, 150, 3) bytes, any N.
  virtual void set_parameters(std::span<const float> parameters) = 0;
  virtual void get_parameters(std::span<float> parameters) const = 0;
  virtual void set_optimizer(const OptimizerState& state) = 0;
  virtual OptimizerState optimizer() const = 0;

  // codes (N, 2888), overwritten.
  virtual void encode(std::span<const uint8_t> images, std::span<float> codes) = 0;
  // For the encodes that follow; at first kFloat32. Throws E_USAGE where the device lacks it.
  virtual void set_precision(Precision precision) {
    if (precision != Precision::kFloat32)
      throw usage_error("device " + facts().kind + " does not encode in fp16, use --precision float32");
  }
  // images overwritten, 255 p rounded to nearest.
  virtual void decode(std::span<const float> codes, std::span<uint8_t> images) = 0;
  // Mean binary cross-entropy of the batch; changes nothing.
  virtual double loss(std::span<const uint8_t> images) = 0;
  // One Adam step on the batch's mean loss, which is returned (taken before the step). Throws E_NON_FINITE,
  // naming loss or tensor, when loss or gradient is not finite (parameters and optimizer are then unchanged)
  // or a weight becomes so.
  virtual double train_step(std::span<const uint8_t> images, const AdamOptions& options) = 0;
  // The same step, with the next one's images on their way while it computes.
  virtual double train_step_ahead(std::span<const uint8_t> images, const AdamOptions& options,
                                  const Ahead& /*ahead*/) {
    return train_step(images, options);
  }

  // Dataset. A device that has memory of its own, with room for all of `images` beside what prepare took,
  // keeps them there, in place of any it held; what `images` throws comes through, and otherwise it holds
  // none. Where it holds them, the same as loss and train_step, of images by number, to the byte.
  virtual Held hold(const ImageSource& /*images*/) { return Held::kNotNeeded; }
  virtual double loss_of_held(std::span<const int64_t> /*images*/) {
    throw std::logic_error("this device holds no images");
  }
  virtual double train_step_on_held(std::span<const int64_t> /*images*/, const AdamOptions& /*options*/) {
    throw std::logic_error("this device holds no images");
  }

  // Search. Merges the block's rows into each query's k best; best (Q lists) is updated in place.
  virtual void nearest(const SearchBlock& block, TopK& best) = 0;

  virtual DeviceFacts facts() const = 0;
};

// threads <= 0 takes every core that this process may use.
std::unique_ptr<Device> make_cpu_device(int threads);

// name: "auto", "cpu" or "cuda". `reason` (may be null) is set to one line saying what was taken and why.
// Throws E_USAGE where "cuda" was asked for and cannot be had, naming what is missing.
std::unique_ptr<Device> make_device(const std::string& name, int threads, std::string* reason);

}  // namespace lookalike
