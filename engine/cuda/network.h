// The autoencoder on the device, for batches of at most `most` images: cuDNN's convolutions and our kernels
// between them. Everything is queued on one stream; nothing here waits.
//
// Backward keeps two scratch activations beside what forward left: the gradient of a convolution's output,
// and that of its input, which forward used for the convolution's output.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/cuda/memory_plan.h"
#include "kernels/cuda/conv.h"
#include "kernels/topology.h"

namespace lookalike::cuda {

// Of parameters or of their gradient, on the device, in the order of kernel_order.h.
template <class T>
struct ParameterView {
  T* flat = nullptr;
  T* kernel(int stage) const { return flat + kernel_offset(stage); }
  T* bias(int stage) const { return flat + bias_offset(stage); }
};

class Network {
 public:
  // Memory for `most` images, with what training needs or without. The convolutions that the first batches
  // will use are made here, so that a workspace large enough is planned; `library` outlives the network.
  Network(const ConvolutionLibrary& library, gpu::Stream stream, std::int64_t most, bool training,
          const std::vector<std::int64_t>& batches);

  const MemoryPlan& plan() const { return plan_; }
  std::int64_t most() const { return most_; }
  bool training() const { return training_; }
  void allocate() { memory_ = PlannedMemory(plan_); }
  // Makes the convolutions of another batch, of at most `most`; false where its workspace was not planned
  // for.
  bool take_batch(std::int64_t batch) { return workspace_for(batch) <= workspace_bytes_; }

  // Below, `images` are the batch's, and `batch` >= images is what the convolutions compute: an image's
  // result is the same bytes in every place of a batch of one size, and only of one size.
  struct Batch {
    std::int64_t images, batch;
  };

  // Where the caller puts the images, (most, 150, 150, 3) bytes; slot 0 or 1.
  std::uint8_t* images(int slot) const { return memory_.part<std::uint8_t>(images_[slot]); }
  // Where encode leaves the codes and decode expects them, (most, 19, 19, 8).
  float* codes() const { return input(kEncoderStages); }

  void encode(ParameterView<const float> parameters, int slot, const Batch& batch);
  // codes() -> images(slot)
  void decode(ParameterView<const float> parameters, int slot, const Batch& batch);
  // Forward after encode(), then each image's loss -> losses (images), on the device.
  void loss(ParameterView<const float> parameters, int slot, const Batch& batch, double* losses);
  // As encode() and loss(), then the gradient of the losses' sum times scale -> gradient, added to it where
  // `accumulate` says so. batch.batch is batch.images.
  void gradient(ParameterView<const float> parameters, int slot, const Batch& batch, float scale,
                bool accumulate, double* losses, ParameterView<float> gradient);

 private:
  using Stages = std::vector<Convolution>;

  std::size_t workspace_for(std::int64_t batch);
  Stages& convolutions(std::int64_t batch) { return convolutions_.at(batch); }
  float* input(int stage) const { return memory_.part<float>(inputs_[static_cast<std::size_t>(stage)]); }
  Workspace workspace() const { return {memory_.part<unsigned char>(workspace_), workspace_bytes_}; }
  void encoder(ParameterView<const float> parameters, int slot, const Batch& batch, bool winners);
  void decoder(ParameterView<const float> parameters, const Batch& batch);
  void losses(ParameterView<const float> parameters, int slot, const Batch& batch, float scale,
              double* losses, float* slope);
  void backward(ParameterView<const float> parameters, std::int64_t images, bool accumulate,
                ParameterView<float> gradient);

  const ConvolutionLibrary* library_;
  gpu::Stream stream_;
  std::int64_t most_;
  bool training_;
  std::map<std::int64_t, Stages> convolutions_;  // by batch
  MemoryPlan plan_;
  PlannedMemory memory_;
  std::array<int, 2> images_{};
  std::array<int, kStageCount> inputs_{};      // of each stage's convolution
  std::array<int, kEncoderStages> winners_{};  // training
  int output_ = 0;                             // of a convolution; backward: gradient of its input
  int slope_ = 0;                              // gradient of a convolution's output, training
  int loss_parts_ = 0, bias_parts_ = 0;
  int workspace_ = 0;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace lookalike::cuda
