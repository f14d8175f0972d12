// What the emulator must refuse, and what it must not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/gpu.h"

namespace lookalike::test {
namespace {

using ::testing::HasSubstr;

template <class... P, class... A>
std::string refusal(dim3 block, std::size_t shared, void (*kernel)(P...), A... arguments) {
  try {
    gpu::launch("probe", {1, block, shared}, kernel, arguments...);
  } catch (const emu::Error& error) {
    return error.what();
  }
  return "";
}

__global__ void half_barrier() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __shfl_sync(~0U, 1, 0);
  }
}
__global__ void lone_lane() {
  if (threadIdx.x == 3) __syncwarp();
}
TEST(Emulator, EndedThreadsHoldNobody) {
  EXPECT_EQ(refusal(64, 0, half_barrier), "");
  EXPECT_EQ(refusal(40, 0, lone_lane), "");
}

__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
TEST(Emulator, RefusesADivergentBarrier) {
  EXPECT_THAT(refusal(64, 0, two_barriers), HasSubstr("divergent barrier"));
}

__global__ void two_shuffles() {
  if (threadIdx.x < 16) {
    __shfl_sync(~0U, 1, 0);
  } else {
    __shfl_xor_sync(~0U, 1, 1);
  }
}
__global__ void foreign_lane() { __shfl_sync(threadIdx.x < 16 ? 0xffffU : 0xffff0000U, 1, 31, 32); }
__global__ void not_in_mask() { __ballot_sync(1U, 1); }
__global__ void partial_mma() {
  float d[4] = {};
  const std::uint32_t a[4] = {};
  if (threadIdx.x < 30) gpu::mma_m16n8k16(d, a, 0, 0, d);
}
TEST(Emulator, RefusesDivergentWarps) {
  EXPECT_THAT(refusal(32, 0, two_shuffles), HasSubstr("divergent warp"));
  EXPECT_THAT(refusal(32, 0, foreign_lane), HasSubstr("which takes no part"));
  EXPECT_THAT(refusal(32, 0, not_in_mask), HasSubstr("not in its own mask"));
  EXPECT_THAT(refusal(32, 0, partial_mma), ::testing::AnyOf(HasSubstr("ended lanes"), HasSubstr("deadlock")));
}

__global__ void stuck() {
  GPU_SHARED(std::uint64_t, bar, [1]);
  if (threadIdx.x == 0) gpu::mbarrier_init(bar, 40);
  __syncthreads();
  gpu::mbarrier_arrive(bar);
  gpu::mbarrier_wait(bar, 0);
}
TEST(Emulator, SaysWhoWaitsWhereInADeadlock) {
  const std::string text = refusal(32, 0, stuck);
  EXPECT_THAT(text, HasSubstr("deadlock"));
  EXPECT_THAT(text, HasSubstr("threads 0-31 wait at mbarrier.wait (emulator_test.cpp:"));
}

__global__ void unwaited_copy(const unsigned char* from) {
  GPU_SHARED(uint4, tile, [32]);
  gpu::cp_async<16>(&tile[threadIdx.x], from);
}
__global__ void misaligned_row() {
  GPU_SHARED(uint4, tile, [33]);
  std::uint32_t r[4];
  gpu::ldmatrix_x4(r, reinterpret_cast<unsigned char*>(&tile[threadIdx.x]) + 8);
}
__global__ void row_outside() {
  GPU_SHARED(uint4, tile, [31]);
  std::uint32_t r[4];
  gpu::ldmatrix_x4(r, &tile[0] + threadIdx.x);
}
__global__ void too_much_static() {
  GPU_SHARED(float, a, [8192]);
  GPU_SHARED(float, b, [4097]);
  a[0] = b[0];
}
__global__ void wants_dynamic() {
  GPU_DYNAMIC_SHARED(raw);
  raw[0] = 1;
}
TEST(Emulator, ChecksMemoryAndCopies) {
  const gpu::Buffer<unsigned char> bytes(16);
  EXPECT_THAT(refusal(32, 0, unwaited_copy, bytes.data()), HasSubstr("never waited for"));
  EXPECT_THAT(refusal(32, 0, misaligned_row), HasSubstr("misaligned"));
  EXPECT_THAT(refusal(32, 0, row_outside), HasSubstr("not in this block's shared memory"));
  EXPECT_THAT(refusal(32, 0, too_much_static), HasSubstr("48 KB"));
  EXPECT_THAT(refusal(32, 0, wants_dynamic), HasSubstr("launch gave none"));
  EXPECT_THAT(refusal(32, 228 << 10, wants_dynamic), HasSubstr("too much"));
  EXPECT_THAT(refusal(1056, 0, lone_lane), HasSubstr("bad grid"));
}

__global__ void read_unwritten(float* out) {
  GPU_SHARED(float, tile, [32]);
  out[threadIdx.x] = tile[threadIdx.x];
}
TEST(Emulator, MemoryStartsAsNan) {
  const gpu::Buffer<float> out(32);
  EXPECT_NE(out.host()[0], out.host()[0]);
  gpu::launch("probe", {1, 32}, read_unwritten, out.data());
  EXPECT_NE(out.host()[31], out.host()[31]);
}

}  // namespace
}  // namespace lookalike::test
