#include <cmath>

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/nearest_prepare.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr std::int64_t kMeanRows = 256;

GPU_DEVICE double warp_sum(double v) {
  GPU_UNROLL
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_xor_sync(~0U, v, distance);
  return v;
}

// The lower half length and the length of a vector with this sum of squares.
GPU_DEVICE void store_lengths(const FilterVectors& out, std::int64_t i, double squares, double error) {
  out.lengths[i] = squares;
  out.half_lengths[i] = __double2float_rd((1 - error) * squares / 2);
}

// One warp a vector.
__global__ void __launch_bounds__(kThreads)
    prepare_float_kernel(const float* __restrict__ vectors, std::int64_t count, std::int64_t pitch,
                         double error, const FilterVectors out) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (i >= count) return;
  const unsigned lane = threadIdx.x % 32;
  double squares = 0;
  for (std::int64_t k = lane; k < pitch; k += 32) {
    const double v = static_cast<double>(vectors[i * pitch + k]);
    squares += v * v;
  }
  squares = warp_sum(squares);
  if (lane == 0) store_lengths(out, i, squares, error);
}

__global__ void __launch_bounds__(kThreads)
    column_means_kernel(const float* __restrict__ rows, std::int64_t count, std::int64_t pitch,
                        float* __restrict__ means) {
  const std::int64_t column = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (column >= pitch) return;
  double sum = 0;
  for (std::int64_t r = 0; r < count; ++r) sum += static_cast<double>(rows[r * pitch + column]);
  means[column] = static_cast<float>(sum / static_cast<double>(count));
}

// A maximum does not depend on the order. Bits of floats that are not negative are in their order, NaN last.
__global__ void __launch_bounds__(kThreads)
    largest_deviation_kernel(const float* __restrict__ vectors, std::int64_t count, std::int64_t pitch,
                             const float* __restrict__ means, float* largest) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (i >= count) return;
  int most = 0;
  for (std::int64_t k = threadIdx.x % 32; k < pitch; k += 32)
    most = max(most, __float_as_int(fabsf(__fsub_rn(vectors[i * pitch + k], means[k]))));
  GPU_UNROLL
  for (int distance = 16; distance > 0; distance /= 2) most = max(most, __shfl_xor_sync(~0U, most, distance));
  if (threadIdx.x % 32 == 0) atomicMax(reinterpret_cast<int*>(largest), most);
}

__global__ void choose_scale_kernel(const float* largest, float* scale) {
  const int exponent = (__float_as_int(*largest) >> 23) - 127;  // of a normal number
  // The scale must be a normal number itself.
  *scale = exponent > -112 && exponent < 128 ? __int_as_float((13 - exponent + 127) << 23) : 1.0F;
}

// One warp a vector, two numbers a lane. The residual of what is stored is measured, so rounding twice on the
// way (to float, to fp16) costs nothing.
__global__ void __launch_bounds__(kThreads)
    prepare_half_kernel(const float* __restrict__ vectors, std::int64_t count, std::int64_t pitch,
                        const float* __restrict__ means, const float* __restrict__ scale, double error,
                        std::uint16_t* __restrict__ halves, const FilterVectors out) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (i >= count) return;
  const unsigned lane = threadIdx.x % 32;
  const double s = static_cast<double>(*scale);
  double squares = 0, rest = 0;
  for (std::int64_t k = 2 * lane; k < pitch; k += 64) {
    const float* v = vectors + i * pitch + k;
    const double x = s * (static_cast<double>(v[0]) - static_cast<double>(means[k]));
    const double y = s * (static_cast<double>(v[1]) - static_cast<double>(means[k + 1]));
    const std::uint32_t both = gpu::pack_half2(static_cast<float>(x), static_cast<float>(y));
    *reinterpret_cast<std::uint32_t*>(halves + i * pitch + k) = both;
    const double low = static_cast<double>(gpu::low_half(both));
    const double high = static_cast<double>(gpu::high_half(both));
    squares += low * low + high * high;
    rest += (x - low) * (x - low) + (y - high) * (y - high);
  }
  squares = warp_sum(squares);
  rest = warp_sum(rest);
  if (lane != 0) return;
  store_lengths(out, i, squares, error);
  // x and y are rounded by 2^-52 of themselves, and the sums of squares by less than 2^-40.
  out.residuals[i] = __double2float_ru(sqrt(rest) * (1 + 0x1p-38) + sqrt(squares + rest) * 0x1p-50);
}

unsigned warp_blocks(std::int64_t vectors) {
  return static_cast<unsigned>(gpu::ceil_div(vectors, std::int64_t{kWarps}));
}

}  // namespace

void prepare_float(const float* vectors, std::int64_t count, std::int64_t pitch, double error,
                   const FilterVectors& out, gpu::Stream stream) {
  if (count == 0) return;
  gpu::launch("prepare_float", {warp_blocks(count), kThreads, 0, stream}, prepare_float_kernel, vectors,
              count, pitch, error, out);
}

void column_means(const float* rows, std::int64_t count, std::int64_t pitch, float* means,
                  gpu::Stream stream) {
  if (count == 0) return;
  const auto blocks = static_cast<unsigned>(gpu::ceil_div(pitch, std::int64_t{kThreads}));
  gpu::launch("column_means", {blocks, kThreads, 0, stream}, column_means_kernel, rows,
              count < kMeanRows ? count : kMeanRows, pitch, means);
}

void largest_deviation(const float* vectors, std::int64_t count, std::int64_t pitch, const float* means,
                       float* largest, gpu::Stream stream) {
  if (count == 0) return;
  gpu::launch("largest_deviation", {warp_blocks(count), kThreads, 0, stream}, largest_deviation_kernel,
              vectors, count, pitch, means, largest);
}

void choose_scale(const float* largest, float* scale, gpu::Stream stream) {
  gpu::launch("choose_scale", {1, 1, 0, stream}, choose_scale_kernel, largest, scale);
}

void prepare_half(const float* vectors, std::int64_t count, std::int64_t pitch, const float* means,
                  const float* scale, double error, std::uint16_t* halves, const FilterVectors& out,
                  gpu::Stream stream) {
  if (count == 0) return;
  gpu::launch("prepare_half", {warp_blocks(count), kThreads, 0, stream}, prepare_half_kernel, vectors, count,
              pitch, means, scale, error, halves, out);
}

}  // namespace lookalike::cuda
