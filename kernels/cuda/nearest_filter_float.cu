// Blocks of 128 queries x 128 rows, 256 threads of 8 x 8 dot products; 16 numbers of each vector at a time
// through three stages of shared memory.
#include "kernels/cuda/nearest_filter_tile.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kDepth = 16;  // numbers of a stage
constexpr int kStages = 3;
constexpr int kSide = 16;  // threads along each side of the block; a thread's rows are 16 apart
constexpr int kEach = kFilterTile / kSide;
constexpr int kPitch = 20;  // floats: 8 rows of 16 bytes then lie in 8 different quarters of the banks

struct Stage {
  float queries[kFilterTile][kPitch];
  float rows[kFilterTile][kPitch];
};
struct Shared {
  Stage stages[kStages];
  FilterBounds bounds;
};

GPU_DEVICE void load_side(const FilterSide& side, std::int64_t first, std::int64_t pitch, int depth,
                          float (&to)[kFilterTile][kPitch]) {
  const auto* from = static_cast<const float*>(side.vectors);
  GPU_UNROLL
  for (int i = 0; i < kFilterTile * kDepth / 4 / kThreads; ++i) {
    const int chunk = static_cast<int>(threadIdx.x) + i * kThreads;
    const int row = chunk / (kDepth / 4), column = chunk % (kDepth / 4) * 4;
    const bool inside = first + row < side.count;
    gpu::cp_async<16>(&to[row][column], inside ? from + (first + row) * pitch + depth + column : from,
                      inside ? 16 : 0);
  }
}

GPU_DEVICE void multiply(const Stage& stage, int k, int x, int y, float (&dots)[kEach][kEach]) {
  float4 q[kEach];
  GPU_UNROLL
  for (int i = 0; i < kEach; ++i) q[i] = *reinterpret_cast<const float4*>(&stage.queries[y + i * kSide][k]);
  GPU_UNROLL
  for (int j = 0; j < kEach; ++j) {
    const float4 r = *reinterpret_cast<const float4*>(&stage.rows[x + j * kSide][k]);
    GPU_UNROLL
    for (int i = 0; i < kEach; ++i) {
      dots[i][j] = __fmaf_rn(q[i].x, r.x, dots[i][j]);
      dots[i][j] = __fmaf_rn(q[i].y, r.y, dots[i][j]);
      dots[i][j] = __fmaf_rn(q[i].z, r.z, dots[i][j]);
      dots[i][j] = __fmaf_rn(q[i].w, r.w, dots[i][j]);
    }
  }
}

// One block a processor: held to 128 registers, for two, the 64 sums spill.
__global__ void __launch_bounds__(kThreads, 1) filter_float_kernel(const FilterTask task) {
  GPU_DYNAMIC_SHARED(raw);
  auto& shared = *reinterpret_cast<Shared*>(raw);
  const std::int64_t first_query = std::int64_t{blockIdx.x} * kFilterTile;
  const std::int64_t first_row = std::int64_t{blockIdx.y} * kFilterTile;
  const int steps = static_cast<int>(task.pitch / kDepth);
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

  const int x = static_cast<int>(threadIdx.x) % kSide, y = static_cast<int>(threadIdx.x) / kSide;
  float dots[kEach][kEach] = {};
  for (int step = 0; step < steps; ++step) {
    gpu::cp_async_wait<kStages - 2>();
    __syncthreads();
    load(step + kStages - 1);
    const Stage& stage = shared.stages[step % kStages];
    GPU_UNROLL
    for (int k = 0; k < kDepth; k += 4) multiply(stage, k, x, y, dots);
  }
  GPU_UNROLL
  for (int i = 0; i < kEach; ++i) {
    GPU_UNROLL
    for (int j = 0; j < kEach; ++j) {
      const int query = y + i * kSide, row = x + j * kSide;
      if (may_be_near(dots[i][j], shared.bounds.rows[row], shared.bounds.queries[query]))
        keep_row(task, first_query + query, first_row + row);
    }
  }
}

}  // namespace

double filter_error_float(std::int64_t pitch) { return static_cast<double>(pitch + 16) * 0x1p-24; }

void filter_float(const FilterTask& task, gpu::Stream stream) {
  if (task.queries.count == 0 || task.rows.count == 0) return;
  check_filter_task(task);
  gpu::launch("filter_float", {filter_grid(task), kThreads, sizeof(Shared), stream}, filter_float_kernel,
              task);
}

}  // namespace lookalike::cuda
