// The instructions of kernels/cuda/ptx_hopper.h, against the words of the PTX ISA.
#include <random>

#include "kernels/cuda/gpu.h"
#include "tests/cuda/device_test.h"

namespace lookalike::test {
namespace {

using gpu::Buffer;

constexpr int kStages = 2;
constexpr int kChunk = 64;

// Warp 0's first lane brings chunks by bulk copy; warps 1 and 2 square and add them.
__global__ void pipeline_probe(const float* in, float* out, int chunks) {
  GPU_SHARED(float4, ring, [kStages * kChunk / 4]);
  GPU_SHARED(std::uint64_t, full, [kStages]);
  GPU_SHARED(std::uint64_t, empty, [kStages]);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    for (int s = 0; s < kStages; ++s) {
      gpu::mbarrier_init(&full[s], 1);
      gpu::mbarrier_init(&empty[s], kChunk);
    }
    gpu::fence_async_proxy();
  }
  __syncthreads();
  if (t == 0) {
    for (int c = 0; c < chunks; ++c) {
      const int s = c % kStages;
      if (c >= kStages) gpu::mbarrier_wait(&empty[s], (c / kStages + 1) & 1);
      gpu::mbarrier_arrive_expect(&full[s], kChunk * 4);
      gpu::bulk_load(&ring[s * kChunk / 4], in + c * kChunk, kChunk * 4, &full[s]);
    }
  } else if (t >= 32) {
    float sum = 0;
    for (int c = 0; c < chunks; ++c) {
      const int s = c % kStages;
      gpu::mbarrier_wait(&full[s], c / kStages & 1);
      const float v = reinterpret_cast<const float*>(&ring[s * kChunk / 4])[t - 32];
      sum += v * v;
      gpu::mbarrier_arrive(&empty[s]);
    }
    out[t - 32] = sum;
  }
}

constexpr int kBoxX = 16, kBoxY = 5;

__global__ void tensor_probe(const __grid_constant__ gpu::TensorMap map, std::uint16_t* out, int x, int y,
                             int z) {
  GPU_DYNAMIC_SHARED(box);
  GPU_SHARED(std::uint64_t, full, [1]);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    gpu::mbarrier_init(full, 1);
    gpu::fence_async_proxy();
  }
  __syncthreads();
  if (t == 0) {
    gpu::mbarrier_arrive_expect(full, kBoxX * kBoxY * 2);
    gpu::tensor_load(box, map, x, y, z, full);
  }
  gpu::mbarrier_wait(full, 0);
  for (int i = t; i < kBoxX * kBoxY; i += 32) out[i] = reinterpret_cast<const std::uint16_t*>(box)[i];
}

class Hopper : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && gpu::properties().major < 9) GTEST_SKIP() << "compute capability below 9.0";
  }
};

TEST_F(Hopper, BulkCopiesThroughBarriers) {
  constexpr int kChunks = 7;
  std::vector<float> in, expected(kChunk);
  for (int i = 0; i < kChunks * kChunk; ++i) {
    in.push_back(static_cast<float>(i * 29 % 23 - 11));
    expected[static_cast<std::size_t>(i % kChunk)] += in.back() * in.back();
  }
  const Buffer<float> din(in), out(kChunk);
  gpu::launch("pipeline", {1, 32 + kChunk}, pipeline_probe, din.data(), out.data(), kChunks);
  EXPECT_EQ(out.host(), expected);
}

TEST_F(Hopper, TensorLoadFillsTheOutsideWithZeros) {
  constexpr std::int64_t kX = 21, kY = 6, kZ = 3, kPitch = 48;
  std::mt19937 random(3);
  std::vector<std::uint16_t> in(static_cast<std::size_t>(kPitch / 2 * kY * kZ));
  for (auto& v : in) v = static_cast<std::uint16_t>(random() | 1);
  const Buffer<std::uint16_t> din(in), out(kBoxX * kBoxY);
  gpu::TensorLayout layout;
  layout.base = din.data();
  layout.size_x = kX;
  layout.size_y = kY;
  layout.size_z = kZ;
  layout.pitch_y = kPitch;
  layout.pitch_z = kPitch * kY;
  layout.box_x = kBoxX;
  layout.box_y = kBoxY;
  const gpu::TensorMap map = gpu::make_tensor_map(layout);
  for (const int x : {-3, 0, 4, 20})
    for (const int y : {-2, 1, 5})
      for (const int z : {0, 2, 3}) {
        gpu::launch("tensor", {1, 32, 1024}, tensor_probe, map, out.data(), x, y, z);
        const auto o = out.host();
        for (int r = 0; r < kBoxY; ++r)
          for (int c = 0; c < kBoxX; ++c) {
            const std::int64_t row = y + r, column = x + c;
            const bool inside = row >= 0 && row < kY && column >= 0 && column < kX && z < kZ;
            const auto from = static_cast<std::size_t>((z * kY + row) * (kPitch / 2) + column);
            ASSERT_EQ(o[static_cast<std::size_t>(r * kBoxX + c)], inside ? in[from] : 0)
                << "box at " << x << ", " << y << ", " << z << ", element " << c << ", " << r;
          }
      }
}

TEST_F(Hopper, TensorMapsAreChecked) {
  gpu::TensorLayout layout;
  const Buffer<std::uint16_t> in(64);
  layout.base = in.data();
  layout.size_x = layout.size_y = layout.size_z = 1;
  layout.pitch_y = layout.pitch_z = 8;
  layout.box_x = layout.box_y = 8;
  EXPECT_THROW(gpu::make_tensor_map(layout), gpu::Error);
}

}  // namespace
}  // namespace lookalike::test
