// What every device says of numbers that are not finite.
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"
#include "kernels/topology.h"

namespace lookalike {

// The tensors of the flat parameter array, in its order: a kernel and a bias for each stage.
inline constexpr int kTensorCount = 2 * kStageCount;
struct TensorPlace {
  std::string name;  // "enc1.kernel"
  int offset, count;
};
inline TensorPlace tensor_place(int tensor) {
  const int s = tensor / 2;
  const Stage& stage = kStages[static_cast<std::size_t>(s)];
  if (tensor % 2 == 0) return {std::string(stage.name) + ".kernel", kernel_offset(s), stage.kernel_count()};
  return {std::string(stage.name) + ".bias", bias_offset(s), stage.out_channels};
}

// Before a step: nothing has been computed with it.
inline Error weight_error(const std::string& tensor) {
  return non_finite_error("a weight of " + tensor + " is not finite, train from a sound model");
}
// Steps count from 1. Parameters and optimizer are as they were before the step.
inline Error loss_error(std::int64_t step) {
  return non_finite_error("the loss is not finite at step " + std::to_string(step) +
                          ", lower the learning rate");
}
inline Error gradient_error(const std::string& tensor, std::int64_t step) {
  return non_finite_error("the gradient of " + tensor + " is not finite at step " + std::to_string(step) +
                          ", lower the learning rate");
}
// The step is done, its result is of no use.
inline Error stepped_weight_error(const std::string& tensor, std::int64_t step) {
  return non_finite_error("a weight of " + tensor + " is not finite after step " + std::to_string(step) +
                          ", lower the learning rate");
}

}  // namespace lookalike
