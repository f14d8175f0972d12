// Each instruction of kernels/cuda/ptx.h against the words of the PTX ISA, lane by lane. On a device this
// tests our reading of the manual; emulated, the emulator; passing both ties the two together. Matrices hold
// small integers, whose products and sums are exact in any order.
#include <cmath>
#include <random>

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/half.h"
#include "tests/cuda/device_test.h"

namespace lookalike::test {
namespace {

using gpu::Buffer;

__global__ void mma16_probe(const std::uint32_t* a, const std::uint32_t* b, const float* c, float* d) {
  const int l = static_cast<int>(threadIdx.x);
  const std::uint32_t fa[4] = {a[l * 4], a[l * 4 + 1], a[l * 4 + 2], a[l * 4 + 3]};
  const float fc[4] = {c[l * 4], c[l * 4 + 1], c[l * 4 + 2], c[l * 4 + 3]};
  float fd[4];
  gpu::mma_m16n8k16(fd, fa, b[l * 2], b[l * 2 + 1], fc);
  for (int i = 0; i < 4; ++i) d[l * 4 + i] = fd[i];
}

__global__ void mma8_probe(const std::uint32_t* a, const std::uint32_t* b, const float* c, float* d) {
  const int l = static_cast<int>(threadIdx.x);
  float fd[4] = {c[l * 4], c[l * 4 + 1], c[l * 4 + 2], c[l * 4 + 3]};
  gpu::mma_m16n8k8(fd, a[l * 2], a[l * 2 + 1], b[l], fd);
  for (int i = 0; i < 4; ++i) d[l * 4 + i] = fd[i];
}

__global__ void ldmatrix_probe(const std::uint16_t* in, std::uint32_t* plain, std::uint32_t* transposed) {
  GPU_SHARED(uint4, tile, [32]);
  const int l = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) reinterpret_cast<std::uint16_t*>(&tile[l])[i] = in[l * 8 + i];
  __syncwarp();
  std::uint32_t r[4];
  gpu::ldmatrix_x4(r, &tile[l]);
  for (int i = 0; i < 4; ++i) plain[l * 4 + i] = r[i];
  gpu::ldmatrix_x4_trans(r, &tile[l]);
  for (int i = 0; i < 4; ++i) transposed[l * 4 + i] = r[i];
}

__global__ void movmatrix_probe(const std::uint32_t* in, std::uint32_t* out) {
  out[threadIdx.x] = gpu::movmatrix_trans(in[threadIdx.x]);
}

__global__ void cp_async_probe(const std::uint32_t* in, std::uint32_t* out) {
  GPU_SHARED(uint4, tile, [32 * 3]);
  const int l = static_cast<int>(threadIdx.x);
  gpu::cp_async<16>(&tile[l], in + l * 4);
  gpu::cp_async_commit();
  gpu::cp_async<8>(&tile[32 + l], in + l * 4, l % 9);
  gpu::cp_async<8>(reinterpret_cast<unsigned char*>(&tile[32 + l]) + 8, in + l * 4 + 2, 8);
  gpu::cp_async_commit();
  for (int i = 0; i < 4; ++i)
    gpu::cp_async<4>(reinterpret_cast<std::uint32_t*>(&tile[64 + l]) + i, in + l * 4 + 3 - i, 4);
  gpu::cp_async_commit();
  gpu::cp_async_wait<0>();
  for (int k = 0; k < 3; ++k) {
    const uint4 v = tile[k * 32 + l];
    std::uint32_t* o = out + (k * 32 + l) * 4;
    o[0] = v.x;
    o[1] = v.y;
    o[2] = v.z;
    o[3] = v.w;
  }
}

__global__ void scalar_probe(const float* low, const float* high, std::uint32_t* packed,
                             std::uint32_t* difference, std::uint32_t* permuted, int* maxima) {
  const int i = static_cast<int>(threadIdx.x);
  packed[i] = gpu::pack_half2(low[i], high[i]);
  difference[i] = gpu::half2_subtract(packed[i], 0x64006400U);
  permuted[i] = __byte_perm(0x33221100U + static_cast<unsigned>(i), 0x64646464U, 0x4140U);
  const int a = i * 37 % 64 - 32, b = i * 11 % 64 - 32, c = i * 5 % 64 - 32;
  maxima[i * 2] = __vimax3_s32(a, b, c);
  maxima[i * 2 + 1] = __vimax_s32_relu(a, b);
}

__global__ void shuffle_probe(int* out) {
  const int l = static_cast<int>(threadIdx.x);
  int* o = out + l * 10;
  o[0] = __shfl_sync(~0U, l, 37);  // modulo the width
  o[1] = __shfl_sync(~0U, l, 3, 8);
  o[2] = __shfl_up_sync(~0U, l, 5);
  o[3] = __shfl_down_sync(~0U, l, 3, 16);
  o[4] = __shfl_xor_sync(~0U, l, 9);
  o[5] = static_cast<int>(__ballot_sync(~0U, l % 3 == 0));
  o[6] = static_cast<int>(__match_any_sync(~0U, l % 5));
  o[7] = static_cast<int>(l < 16 ? __ballot_sync(0xffffU, l % 2) : __ballot_sync(0xffff0000U, l % 4 == 0));
  o[8] = __any_sync(~0U, l == 31) + 2 * __any_sync(~0U, l == 32);
  o[9] = __all_sync(~0U, l < 32) + 2 * __all_sync(~0U, l < 31);
}

// Warp 0 hands a value to warp 1 through barrier 1, and does not wait.
__global__ void named_barrier_probe(int* out) {
  GPU_SHARED(int, box, [32]);
  const int t = static_cast<int>(threadIdx.x);
  if (t < 32) {
    box[t] = t * 7;
    gpu::named_barrier_arrive(1, 64);
  } else {
    gpu::named_barrier_sync(1, 64);
    out[t - 32] = box[63 - t];
  }
}

__global__ void block_vote_probe(int* out) {
  const int t = static_cast<int>(threadIdx.x);
  const int count = __syncthreads_count(t % 3 == 0);
  const int all = __syncthreads_and(t < 96), not_all = __syncthreads_and(t < 95);
  const int any = __syncthreads_or(t == 95), none = __syncthreads_or(t == 96);
  out[t] =
      count * 16 + (all != 0 ? 1 : 0) + (not_all != 0 ? 2 : 0) + (any != 0 ? 4 : 0) + (none != 0 ? 8 : 0);
}

__global__ void atomic_probe(unsigned* counters, unsigned* tickets) {
  const unsigned t = blockIdx.x * blockDim.x + threadIdx.x;
  tickets[atomicAdd(&counters[0], 1U)] = 1;
  atomicMax(&counters[1], t);
  atomicMin(&counters[2], t);
  atomicOr(&counters[3], 1U << t % 32);
  for (unsigned old = 0, seen = 1; seen != old;) {
    seen = old;
    old = atomicCAS(&counters[4], seen, seen + 2);
  }
  if (t == 5) atomicExch(&counters[5], 77U);
}

struct Matrices {
  float a[16][16] = {}, b[16][8] = {}, c[16][8] = {};
};

class Ptx : public DeviceTest {
 protected:
  float small() { return static_cast<float>(static_cast<int>(random_() % 17) - 8); }
  std::uint32_t half_at(float value, unsigned high) {
    return static_cast<std::uint32_t>(gpu::half_bits(value)) << (high * 16);
  }

  // Fills C's fragments and returns what D's must be.
  std::vector<float> expected(Matrices& m, int depth, std::vector<float>& c) {
    std::vector<float> d;
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = i < 2 ? lane >> 2 : (lane >> 2) + 8, column = lane % 4 * 2 + (i & 1);
        float sum = c.emplace_back(m.c[row][column] = small());
        for (int k = 0; k < depth; ++k) sum += m.a[row][k] * m.b[k][column];
        d.push_back(sum);
      }
    return d;
  }

  std::mt19937 random_{5};
};

TEST_F(Ptx, MmaM16n8k16) {
  Matrices m;
  std::vector<std::uint32_t> a(128), b(64);
  std::vector<float> c;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned group = lane >> 2, in_group = lane % 4;
    for (unsigned i = 0; i < 8; ++i) {
      const unsigned row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
      const unsigned column = in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
      a[lane * 4 + i / 2] |= half_at(m.a[row][column] = small(), i % 2);
    }
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = in_group * 2 + (i & 1) + (i < 2 ? 0 : 8);
      b[lane * 2 + i / 2] |= half_at(m.b[row][group] = small(), i % 2);
    }
  }
  const auto d = expected(m, 16, c);
  const Buffer<std::uint32_t> da(a), db(b);
  const Buffer<float> dc(c), dd(128);
  gpu::launch("mma16", {1, 32}, mma16_probe, da.data(), db.data(), dc.data(), dd.data());
  EXPECT_EQ(dd.host(), d);
}

TEST_F(Ptx, MmaM16n8k8) {
  Matrices m;
  std::vector<std::uint32_t> a(64), b(32);
  std::vector<float> c;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned group = lane >> 2, in_group = lane % 4;
    for (unsigned i = 0; i < 4; ++i)
      a[lane * 2 + i / 2] |= half_at(m.a[i < 2 ? group : group + 8][in_group * 2 + (i & 1)] = small(), i % 2);
    for (unsigned i = 0; i < 2; ++i) b[lane] |= half_at(m.b[in_group * 2 + i][group] = small(), i);
  }
  const auto d = expected(m, 8, c);
  const Buffer<std::uint32_t> da(a), db(b);
  const Buffer<float> dc(c), dd(128);
  gpu::launch("mma8", {1, 32}, mma8_probe, da.data(), db.data(), dc.data(), dd.data());
  EXPECT_EQ(dd.host(), d);
}

// Threads 8 k to 8 k + 7 name the rows of matrix k; a thread gets row l / 4, elements l % 4 * 2 and + 1.
TEST_F(Ptx, Ldmatrix) {
  std::vector<std::uint16_t> in(256);
  for (auto& x : in) x = static_cast<std::uint16_t>(random_());
  const Buffer<std::uint16_t> din(in);
  const Buffer<std::uint32_t> plain(128), transposed(128);
  gpu::launch("ldmatrix", {1, 32}, ldmatrix_probe, din.data(), plain.data(), transposed.data());
  const auto p = plain.host(), t = transposed.host();
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned k = 0; k < 4; ++k)
      for (unsigned h = 0; h < 2; ++h) {
        const auto element = [&](unsigned row, unsigned column) { return in[(k * 8 + row) * 8 + column]; };
        ASSERT_EQ(p[l * 4 + k] >> (h * 16) & 0xffff, element(l / 4, l % 4 * 2 + h));
        ASSERT_EQ(t[l * 4 + k] >> (h * 16) & 0xffff, element(l % 4 * 2 + h, l / 4));
      }
}

TEST_F(Ptx, Movmatrix) {
  std::uint16_t matrix[8][8];
  std::vector<std::uint32_t> in(32);
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned h = 0; h < 2; ++h)
      in[l] |=
          static_cast<std::uint32_t>(matrix[l / 4][l % 4 * 2 + h] = static_cast<std::uint16_t>(random_()))
          << (h * 16);
  const Buffer<std::uint32_t> din(in), dout(32);
  gpu::launch("movmatrix", {1, 32}, movmatrix_probe, din.data(), dout.data());
  const auto out = dout.host();
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned h = 0; h < 2; ++h)
      ASSERT_EQ(out[l] >> (h * 16) & 0xffff, matrix[l % 4 * 2 + h][l / 4]) << "lane " << l;
}

TEST_F(Ptx, CpAsyncFillsWithZeros) {
  std::vector<std::uint32_t> in(128);
  for (auto& x : in) x = static_cast<std::uint32_t>(random_()) | 0x01010101U;
  const Buffer<std::uint32_t> din(in), dout(384);
  gpu::launch("cp_async", {1, 32}, cp_async_probe, din.data(), dout.data());
  const auto out = dout.host();
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 4; ++i) {
      ASSERT_EQ(out[l * 4 + i], in[l * 4 + i]);
      ASSERT_EQ(out[256 + l * 4 + i], in[l * 4 + 3 - i]);
      std::uint32_t cut = in[l * 4 + i];
      for (unsigned byte = 0; byte < 4; ++byte)
        if (i < 2 && i * 4 + byte >= l % 9) cut &= ~(0xffU << (byte * 8));
      ASSERT_EQ(out[128 + l * 4 + i], cut) << "lane " << l;
    }
}

TEST_F(Ptx, ScalarInstructions) {
  std::vector<float> low, high;
  for (int i = 0; i < 64; ++i) {
    low.push_back(static_cast<float>(1024 + i));              // a byte in fp16's integers
    high.push_back(1024.0F + static_cast<float>(i) * 0.25F);  // rounded to even
  }
  const Buffer<float> dlow(low), dhigh(high);
  const Buffer<std::uint32_t> packed(64), difference(64), permuted(64);
  const Buffer<int> maxima(128);
  gpu::launch("scalar", {1, 64}, scalar_probe, dlow.data(), dhigh.data(), packed.data(), difference.data(),
              permuted.data(), maxima.data());
  const auto p = packed.host(), d = difference.host(), q = permuted.host();
  const auto m = maxima.host();
  for (int i = 0; i < 64; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double rounded = std::nearbyint(i * 0.25);  // fp16 has steps of 1 there; ties go to even
    ASSERT_EQ(p[at] & 0xffff, 0x6400U + at);
    ASSERT_EQ(p[at] >> 16, 0x6400U + static_cast<unsigned>(rounded));
    ASSERT_EQ(gpu::half_value(static_cast<std::uint16_t>(d[at])), static_cast<float>(i));
    ASSERT_EQ(gpu::half_value(static_cast<std::uint16_t>(d[at] >> 16)), static_cast<float>(rounded));
    ASSERT_EQ(q[at], 0x64006400U | (static_cast<std::uint32_t>(i) & 0xff) | 0x00110000U);
    const int a = i * 37 % 64 - 32, b = i * 11 % 64 - 32, c = i * 5 % 64 - 32;
    ASSERT_EQ(m[at * 2], std::max(std::max(a, b), c));
    ASSERT_EQ(m[at * 2 + 1], std::max(std::max(a, b), 0));
  }
}

TEST_F(Ptx, ShufflesAndVotes) {
  const Buffer<int> d(320);
  gpu::launch("shuffle", {1, 32}, shuffle_probe, d.data());
  const auto o = d.host();
  unsigned thirds = 0, match[5] = {};
  for (int l = 0; l < 32; ++l) {
    thirds |= (l % 3 == 0 ? 1U : 0U) << l;
    match[l % 5] |= 1U << l;
  }
  for (int l = 0; l < 32; ++l) {
    const int* r = &o[static_cast<std::size_t>(l) * 10];
    EXPECT_EQ(r[0], 5);
    EXPECT_EQ(r[1], l / 8 * 8 + 3);
    EXPECT_EQ(r[2], l < 5 ? l : l - 5);
    EXPECT_EQ(r[3], l % 16 + 3 < 16 ? l + 3 : l);
    EXPECT_EQ(r[4], l ^ 9);
    EXPECT_EQ(static_cast<unsigned>(r[5]), thirds);
    EXPECT_EQ(static_cast<unsigned>(r[6]), match[l % 5]);
    EXPECT_EQ(static_cast<unsigned>(r[7]), l < 16 ? 0xaaaaU : 0x11110000U);
    EXPECT_EQ(r[8], 1);
    EXPECT_EQ(r[9], 1);
  }
}

TEST_F(Ptx, Barriers) {
  const Buffer<int> handed(32);
  gpu::launch("named_barrier", {1, 64}, named_barrier_probe, handed.data());
  const auto h = handed.host();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(h[static_cast<std::size_t>(i)], (31 - i) * 7);
  const Buffer<int> votes(96);
  gpu::launch("block_vote", {1, 96}, block_vote_probe, votes.data());
  EXPECT_EQ(votes.host(), std::vector<int>(96, 32 * 16 + 1 + 4));
}

TEST_F(Ptx, Atomics) {
  const Buffer<unsigned> counters(std::vector<unsigned>{0, 0, 1000, 0, 0, 0});
  const Buffer<unsigned> tickets(std::vector<unsigned>(192, 0));
  gpu::launch("atomic", {3, 64}, atomic_probe, counters.data(), tickets.data());
  EXPECT_EQ(counters.host(), (std::vector<unsigned>{192, 191, 0, ~0U, 384, 77}));
  EXPECT_EQ(tickets.host(), std::vector<unsigned>(192, 1));
}

// Every fp16 there and back, and floats at and beside every middle of two.
TEST(Half, RoundsToNearestEven) {
  for (std::uint32_t h = 0; h < 0x7c00; ++h) {
    const float value = gpu::half_value(static_cast<std::uint16_t>(h));
    ASSERT_EQ(gpu::half_bits(value), h);
    ASSERT_EQ(gpu::half_bits(-value), h | 0x8000);
    const float next = h + 1 < 0x7c00 ? gpu::half_value(static_cast<std::uint16_t>(h + 1)) : 65536.0F;
    const float middle = value + (next - value) / 2;
    ASSERT_EQ(gpu::half_bits(middle), h % 2 == 0 ? h : h + 1);
    ASSERT_EQ(gpu::half_bits(std::nextafter(middle, 0.0F)), h);
    ASSERT_EQ(gpu::half_bits(std::nextafter(middle, 1e9F)), h + 1);
  }
  EXPECT_EQ(gpu::half_value(0x0001), 0x1p-24F);
  EXPECT_EQ(gpu::half_value(0x3c00), 1.0F);
  EXPECT_EQ(gpu::half_value(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(gpu::half_value(gpu::half_bits(NAN))));
}

}  // namespace
}  // namespace lookalike::test
