// What the two filters share: a block's thresholds, and how a row is kept. For kernels only.
#pragma once

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/nearest_choice_device.h"
#include "kernels/cuda/nearest_filter.h"

namespace lookalike::cuda {

struct FilterBounds {
  float rows[kFilterTile];     // c
  float queries[kFilterTile];  // k
  unsigned residual[1];        // E, as the bits of a float that is not negative, or NaN
};

// Called by all 256 threads of a block; ends with a barrier.
GPU_DEVICE void load_bounds(const FilterTask& task, std::int64_t first_query, std::int64_t first_row,
                            FilterBounds& bounds) {
  const int t = static_cast<int>(threadIdx.x);
  const std::int64_t row = first_row + t, query = first_query + t;
  if (t == 0) bounds.residual[0] = 0;
  __syncthreads();
  if (t < kFilterTile) {
    const bool inside = row < task.rows.count;
    bounds.rows[t] = inside ? task.rows.half_lengths[row] : 0.0F;
    // A NaN's bits are above infinity's: the maximum keeps it, and with it the rows.
    if (inside && task.rows.residuals != nullptr)
      atomicMax(bounds.residual, __float_as_uint(task.rows.residuals[row]));
  }
  __syncthreads();
  if (t < kFilterTile) {
    float least = 0;
    if (query < task.queries.count) {
      constexpr double kUp = 1 + 0x1p-38;      // of the measured distance, and of the roundings here
      constexpr double kSubnormal = 0x1p-126;  // 2^24 products of float, each within 2^-150 where they vanish
      const double scale = task.scale != nullptr ? static_cast<double>(*task.scale) : 1.0;
      const double residual = task.queries.residuals != nullptr ? task.queries.residuals[query] : 0.0F;
      const double reach =
          (scale * sqrt(task.limits[query]) * kUp + residual + __uint_as_float(bounds.residual[0])) * kUp;
      least = __double2float_rd(((1 - task.error) * task.queries.lengths[query] - reach * reach * kUp) / 2 -
                                kSubnormal);
    }
    bounds.queries[t] = least;
  }
  __syncthreads();
}

GPU_DEVICE bool may_be_near(float dot, float row, float least) { return !(dot - row < least); }

GPU_DEVICE void keep_row(const FilterTask& task, std::int64_t query, std::int64_t row) {
  if (query >= task.queries.count || row >= task.rows.count) return;
  if (!may_get(task.choice, query, row)) return;
  const std::uint32_t at = atomicAdd(&task.counts[query], 1U);
  if (at < task.capacity) task.candidates[query * task.capacity + at] = static_cast<std::int32_t>(row);
}

// x: query tiles, so that the blocks of one row tile run together and its rows are read from memory once.
inline dim3 filter_grid(const FilterTask& task) {
  return {static_cast<unsigned>(gpu::ceil_div(task.queries.count, std::int64_t{kFilterTile})),
          static_cast<unsigned>(gpu::ceil_div(task.rows.count, std::int64_t{kFilterTile}))};
}

inline void check_filter_task(const FilterTask& task) {
  constexpr std::int64_t kMost = std::int64_t{65535} * kFilterTile;
  if (task.queries.count > kMost || task.rows.count > kMost || task.pitch % kFilterAlign != 0)
    throw gpu::Error("filter: too many queries or rows, or a pitch that is no multiple of 16");
}

}  // namespace lookalike::cuda
