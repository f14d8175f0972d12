// Blocks of 128 queries x 128 rows by tensor cores, 8 warps of 64 x 32; 48 numbers of each vector at a time
// through three stages of shared memory.
#include "kernels/cuda/nearest_filter_tile.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kStep = 16;   // numbers of one product
constexpr int kDepth = 48;  // of a stage
constexpr int kStages = 3;
constexpr int kChunks = kDepth / 8;  // of 16 bytes
constexpr int kPitch = 56;  // fp16: 7 chunks, odd, so that 8 rows lie in 8 different quarters of the banks

struct Stage {
  std::uint16_t queries[kFilterTile][kPitch];
  std::uint16_t rows[kFilterTile][kPitch];
};
struct Shared {
  Stage stages[kStages];
  FilterBounds bounds;
};

GPU_DEVICE void load_side(const FilterSide& side, std::int64_t first, std::int64_t pitch, std::int64_t depth,
                          std::uint16_t (&to)[kFilterTile][kPitch]) {
  const auto* from = static_cast<const std::uint16_t*>(side.vectors);
  GPU_UNROLL
  for (int i = 0; i < kFilterTile * kChunks / kThreads; ++i) {
    const int chunk = static_cast<int>(threadIdx.x) + i * kThreads;
    const int row = chunk / kChunks, column = chunk % kChunks * 8;
    const bool inside = first + row < side.count && depth + column < pitch;
    gpu::cp_async<16>(&to[row][column], inside ? from + (first + row) * pitch + depth + column : from,
                      inside ? 16 : 0);
  }
}

__global__ void __launch_bounds__(kThreads, 1) filter_half_kernel(const FilterTask task) {
  GPU_DYNAMIC_SHARED(raw);
  auto& shared = *reinterpret_cast<Shared*>(raw);
  const std::int64_t first_query = std::int64_t{blockIdx.x} * kFilterTile;
  const std::int64_t first_row = std::int64_t{blockIdx.y} * kFilterTile;
  const int products = static_cast<int>(task.pitch / kStep);
  const int steps = (products + kDepth / kStep - 1) / (kDepth / kStep);
  const auto load = [&](int step) {
    if (step < steps) {
      Stage& stage = shared.stages[step % kStages];
      load_side(task.queries, first_query, task.pitch, step * kDepth, stage.queries);
      load_side(task.rows, first_row, task.pitch, step * kDepth, stage.rows);
    }
    gpu::cp_async_commit();
  };
  load(0);
  load(1);
  load_bounds(task, first_query, first_row, shared.bounds);

  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_query = warp % 2 * 64, warp_row = warp / 2 * 32;
  float dots[4][4][4] = {};  // 16 queries x 8 rows each
  for (int step = 0; step < steps; ++step) {
    gpu::cp_async_wait<kStages - 2>();
    __syncthreads();
    load(step + kStages - 1);
    const Stage& stage = shared.stages[step % kStages];
    const int left = products - step * (kDepth / kStep);
    GPU_UNROLL
    for (int p = 0; p < kDepth / kStep; ++p) {
      if (p >= left) break;
      std::uint32_t q[4][4], r[2][4];
      GPU_UNROLL
      for (int m = 0; m < 4; ++m)
        gpu::ldmatrix_x4(q[m], &stage.queries[warp_query + m * 16 + lane % 16][p * kStep + lane / 16 * 8]);
      GPU_UNROLL
      for (int n = 0; n < 2; ++n)
        gpu::ldmatrix_x4(
            r[n], &stage.rows[warp_row + n * 16 + lane % 8 + lane / 16 * 8][p * kStep + lane / 8 % 2 * 8]);
      GPU_UNROLL
      for (int m = 0; m < 4; ++m) {
        GPU_UNROLL
        for (int n = 0; n < 4; ++n)
          gpu::mma_m16n8k16(dots[m][n], q[m], r[n / 2][n % 2 * 2], r[n / 2][n % 2 * 2 + 1], dots[m][n]);
      }
    }
  }
  GPU_UNROLL
  for (int m = 0; m < 4; ++m) {
    GPU_UNROLL
    for (int n = 0; n < 4; ++n) {
      GPU_UNROLL
      for (int e = 0; e < 4; ++e) {
        const int query = warp_query + m * 16 + lane / 4 + e / 2 * 8;
        const int row = warp_row + n * 8 + lane % 4 * 2 + e % 2;
        if (may_be_near(dots[m][n][e], shared.bounds.rows[row], shared.bounds.queries[query]))
          keep_row(task, first_query + query, first_row + row);
      }
    }
  }
}

}  // namespace

double filter_error_half(std::int64_t pitch) { return static_cast<double>(pitch + 16) * 0x1p-23; }

void filter_half(const FilterTask& task, gpu::Stream stream) {
  if (task.queries.count == 0 || task.rows.count == 0) return;
  check_filter_task(task);
  gpu::launch("filter_half", {filter_grid(task), kThreads, sizeof(Shared), stream}, filter_half_kernel, task);
}

}  // namespace lookalike::cuda
