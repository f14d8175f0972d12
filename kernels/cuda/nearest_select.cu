#include "kernels/cuda/gpu.h"
#include "kernels/cuda/nearest_choice_device.h"
#include "kernels/cuda/nearest_select.h"

namespace lookalike::cuda {
namespace {

constexpr int kMeasureThreads = 128;
constexpr int kLanes = 8;  // accumulators of a distance
constexpr int kMergeThreads = 256;
constexpr int kSorted = static_cast<int>(kListMost + kCandidatesMost);
static_assert((kSorted & (kSorted - 1)) == 0, "the sorting network wants a power of two");

GPU_DEVICE bool before(double distance, std::int32_t row, double other_distance, std::int32_t other_row) {
  return distance < other_distance || (distance == other_distance && row < other_row);
}

GPU_DEVICE bool enters(const NearestLists& lists, std::int64_t query, double distance, std::int32_t row) {
  if (!(distance <= lists.limits[query])) return false;
  return lists.last_distances == nullptr ||
         before(lists.last_distances[query], lists.last_rows[query], distance, row);
}

GPU_DEVICE std::int32_t row_of(const Candidates& candidates, std::int64_t slot, std::uint32_t c) {
  const std::int32_t row = candidates.rows != nullptr ? candidates.rows[slot] : static_cast<std::int32_t>(c);
  return candidates.first + row;
}

// x: query; y strides over its candidates.
__global__ void __launch_bounds__(kMeasureThreads)
    measure_kernel(const float* __restrict__ queries, const float* __restrict__ rows, std::int64_t pitch,
                   const Candidates candidates, const NearestLists lists) {
  constexpr unsigned kPairs = kMeasureThreads / kLanes;
  const std::int64_t query = blockIdx.x;
  const unsigned lane = threadIdx.x % kLanes;
  const std::uint32_t count = candidates.counts[query];
  const float* a = queries + query * pitch;
  // Whole warps go round together, for the shuffles.
  for (std::uint32_t base = blockIdx.y * kPairs; base < count; base += gridDim.y * kPairs) {
    const std::uint32_t c = base + threadIdx.x / kLanes;
    const std::int64_t slot = query * kCandidatesMost + c;
    std::int32_t row = -1;
    if (c < count) row = row_of(candidates, slot, c);
    if (row >= 0 && candidates.rows == nullptr && !may_get(candidates.choice, query, row)) row = -1;
    double sum = 0;
    if (row >= 0) {
      const float* b = rows + row * pitch;
      const float* const end = b + pitch;
      const float* from = a + lane;
      for (b += lane; b < end; b += kLanes, from += kLanes) {
        const double difference = __dsub_rn(static_cast<double>(*from), static_cast<double>(*b));
        sum = __dadd_rn(sum, __dmul_rn(difference, difference));
      }
    }
    // ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)): a sum of two does not depend on their order.
    GPU_UNROLL
    for (int distance = 1; distance < kLanes; distance *= 2)
      sum = __dadd_rn(sum, __shfl_xor_sync(~0U, sum, distance));
    if (c < count && lane == 0)
      candidates.distances[slot] =
          row >= 0 && enters(lists, query, sum, row) ? sum : __longlong_as_double(0x7ff8000000000000LL);
  }
}

struct Shared {
  double distances[kSorted];
  std::int32_t rows[kSorted];
};

// Bitonic, ascending, of `size` pairs, a power of two.
GPU_DEVICE void sort_pairs(Shared& shared, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int step = run / 2; step > 0; step /= 2) {
      for (int i = static_cast<int>(threadIdx.x); i < size; i += kMergeThreads) {
        const int j = i ^ step;
        if (j < i) continue;
        const double di = shared.distances[i], dj = shared.distances[j];
        const std::int32_t ri = shared.rows[i], rj = shared.rows[j];
        const bool ascending = (i & run) == 0;
        if (ascending ? before(dj, rj, di, ri) : before(di, ri, dj, rj)) {
          shared.distances[i] = dj;
          shared.distances[j] = di;
          shared.rows[i] = rj;
          shared.rows[j] = ri;
        }
      }
      __syncthreads();
    }
}

__global__ void __launch_bounds__(kMergeThreads)
    merge_kernel(const Candidates candidates, const NearestLists lists) {
  constexpr std::int32_t kNone = 0x7fffffff;  // after every row
  GPU_DYNAMIC_SHARED(raw);
  auto& shared = *reinterpret_cast<Shared*>(raw);
  const std::int64_t query = blockIdx.x;
  const auto count = static_cast<int>(candidates.counts[query]);
  const int kept = lists.sizes[query], k = static_cast<int>(lists.k);
  if (count == 0) return;
  int size = 2;
  while (size < kept + count) size *= 2;

  int entered = 0;  // of this thread's candidates
  for (int i = static_cast<int>(threadIdx.x); i < size; i += kMergeThreads) {
    double distance = INFINITY;
    std::int32_t row = kNone;
    if (i < kept) {
      distance = lists.distances[query * k + i];
      row = lists.rows[query * k + i];
    } else if (i < kept + count) {
      const std::int64_t slot = query * kCandidatesMost + i - kept;
      const double measured = candidates.distances[slot];
      if (measured == measured) {  // else it does not enter
        distance = measured;
        row = row_of(candidates, slot, static_cast<std::uint32_t>(i - kept));
        ++entered;
      }
    }
    shared.distances[i] = distance;
    shared.rows[i] = row;
  }
  GPU_SHARED(int, total, [1]);
  if (threadIdx.x == 0) total[0] = kept;
  __syncthreads();
  if (entered != 0) atomicAdd(total, entered);
  __syncthreads();
  if (total[0] == kept) return;
  sort_pairs(shared, size);

  const int now = min(k, total[0]);
  for (int i = static_cast<int>(threadIdx.x); i < now; i += kMergeThreads) {
    lists.distances[query * k + i] = shared.distances[i];
    lists.rows[query * k + i] = shared.rows[i];
  }
  if (threadIdx.x == 0) {
    lists.sizes[query] = now;
    if (now == k) lists.limits[query] = shared.distances[k - 1];
  }
}

}  // namespace

void measure(const float* queries, const float* rows, std::int64_t pitch, std::int64_t query_count,
             const Candidates& candidates, const NearestLists& lists, gpu::Stream stream) {
  if (query_count == 0) return;
  // Enough blocks for a few queries; a block with nothing to do ends at once.
  const unsigned blocks = query_count < 64 ? 128 : 8;
  gpu::launch("measure", {{static_cast<unsigned>(query_count), blocks}, kMeasureThreads, 0, stream},
              measure_kernel, queries, rows, pitch, candidates, lists);
}

void merge(std::int64_t query_count, const Candidates& candidates, const NearestLists& lists,
           gpu::Stream stream) {
  if (query_count == 0) return;
  if (lists.k < 1 || lists.k > kListMost) throw gpu::Error("merge: k is not 1 .. 2048");
  gpu::launch("merge", {static_cast<unsigned>(query_count), kMergeThreads, sizeof(Shared), stream},
              merge_kernel, candidates, lists);
}

}  // namespace lookalike::cuda
