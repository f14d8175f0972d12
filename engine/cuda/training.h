// Training on the device: Adam's state, and steps, each queued whole and then waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engine/cuda/losses.h"
#include "engine/cuda/network_room.h"
#include "engine/device.h"

namespace lookalike::cuda {

// Where a batch's images come from: fill(slot, first, count) queues a part's way to the slot of the network.
using Fill = std::function<void(int slot, std::int64_t first, std::int64_t count)>;

class Training {
 public:
  // parameters (kParameterCount) in kernel_order.h's order; all that is referred to outlives this.
  Training(const CudaOptions& options, NetworkRoom& room, Losses& losses,
           const gpu::Buffer<float>& parameters, gpu::Stream stream);

  // One step, as Device::train_step_ahead, on images that `fill` brings. An error of E_NON_FINITE but the
  // last leaves parameters and Adam's state as they were; after gpu::Error they may be anything. Nothing of
  // the step runs any more when it returns or throws.
  double step(std::int64_t count, const AdamOptions& options, const Fill& fill, const Ahead& ahead);
  // Images that came ahead are of no use to the next step: their slot is needed, or its network is gone.
  void withdraw() { announced_ = {}; }

  // (kParameterCount) each, in kernel_order.h's order.
  const gpu::Buffer<float>& m() const { return m_; }
  const gpu::Buffer<float>& v() const { return v_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  // Images of the next step, in a slot already.
  struct Announced {
    std::uint64_t ticket = 0;  // 0: none
    std::int64_t count = 0;
    int slot = 0;
  };

  int queue(std::int64_t count, const AdamOptions& options, const Fill& fill, int slot, bool there);
  void look(const gpu::Buffer<float>& values, int moment);
  void bring_next(const Ahead& ahead, int slot) noexcept;
  double result(std::int64_t count);

  CudaOptions options_;
  NetworkRoom& room_;
  Losses& losses_;
  const gpu::Buffer<float>& parameters_;
  gpu::Stream stream_;
  gpu::Buffer<float> gradient_, m_, v_;
  gpu::Buffer<std::int32_t> flags_;
  gpu::PinnedBuffer<std::int32_t> host_flags_;
  std::int64_t steps_ = 0;
  std::uint64_t tickets_ = 0;  // given so far
  Announced announced_;
};

}  // namespace lookalike::cuda
