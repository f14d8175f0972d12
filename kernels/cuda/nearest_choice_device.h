// For kernels only.
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/nearest_choice.h"

namespace lookalike::cuda {

GPU_DEVICE bool may_get(const RowChoice& choice, std::int64_t query, std::int64_t row) {
  if (choice.allowed != nullptr && choice.allowed[row] == 0) return false;
  if (choice.query_groups == nullptr) return true;
  const std::int32_t group = choice.query_groups[query];
  return group < 0 || group != choice.row_groups[row];
}

}  // namespace lookalike::cuda
