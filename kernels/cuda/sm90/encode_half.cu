#include "kernels/cuda/encode_half.h"
#include "kernels/cuda/gpu.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kFirstWarps = 10;  // enc1: 5 strips of 8 pairs of windows x 2 row parities
constexpr int kSecondWarps = 5;  // enc2: strips of 8 windows
constexpr int kSecondGrid = 76, kThirdGrid = 38, kOut = kCodeSize;
constexpr int kGroups = kOut;  // of 4 rows of enc1's output, 2 of enc2's, 1 of the code

// The image with two zero pixels above and left (padding, and 'same'), more on the right; 16-bit units of
// copy.
constexpr int kImagePitch = 480, kImageRows = 154, kCopied = kImagePitch * kImageRows;
constexpr int kImageBuffer = (kCopied + 127) / 128 * 128 + 128;
// A row of enc1's output: planes of even and odd pixels, each in halves of 8 channels; 44 pixels of 16 bytes.
// The odd plane begins with pixel -1. 704 is 64 modulo 128, so that the halves use different banks.
constexpr int kFirstPlane = 704, kFirstRow = 4 * kFirstPlane, kFirstSlots = 4, kFirstSlotRows = 4;
// A row of enc2's: even pixels, odd pixels from -1; 8 channels of 16 bytes.
constexpr int kSecondPlane = 320, kSecondRow = 2 * kSecondPlane, kSecondSlots = 8;

struct Shared {
  unsigned char images[2][kImageBuffer];
  unsigned char first[kFirstSlots][kFirstSlotRows][kFirstRow];
  unsigned char first_zero[kFirstRow];
  unsigned char second[kSecondSlots][2][kSecondRow];
  unsigned char second_zero[kSecondRow + 128];  // lanes without a window read beyond a row
  std::uint64_t image_full[2], image_empty[2];
  std::uint64_t first_full[kFirstSlots], first_empty[kFirstSlots];
  std::uint64_t second_full[kSecondSlots], second_empty[kSecondSlots];
};

// A lane of a warp: g and t as in the PTX ISA's fragments.
struct Lane {
  int lane, g, t;
};

// Maximum of the four convolutions of a pool window, and ReLU. The bits of floats that are not negative are
// in the order of integers; negative ones are in the wrong order but all end as 0.
GPU_DEVICE float pool(float a, float b, float c, float d) {
  const int most = __vimax3_s32(__float_as_int(a), __float_as_int(b), __float_as_int(c));
  return __int_as_float(__vimax_s32_relu(most, __float_as_int(d)));
}

GPU_DEVICE void load_image(Shared& shared, const gpu::TensorMap& map, std::int64_t image, int buffer) {
  gpu::mbarrier_arrive_expect(&shared.image_full[buffer], kCopied);
  gpu::tensor_load(shared.images[buffer], map, -3, -2, static_cast<int>(image), &shared.image_full[buffer]);
}

GPU_DEVICE void arrive_once(const Lane& l, std::uint64_t* bar) {
  if (l.lane == 0) gpu::mbarrier_arrive(bar);
}

// enc1. The 4 x 4 x 3 patch below a window is 48 numbers, three products deep; thread t of a quad holds patch
// row t, 12 bytes of the image, for window x = 2 i and (6 bytes on) 2 i + 1.
GPU_DEVICE void first_stage(Shared& shared, const EncoderWeights* weights, const Lane& l, int warp,
                            std::int64_t count) {
  const int strip = warp / 2, parity = warp % 2, pixel = 8 * strip + l.g;
  std::uint32_t w[48];
  GPU_UNROLL
  for (int i = 0; i < 48; ++i) w[i] = weights->kernel1[i * 32 + l.lane];
  float bias[2][4];
  GPU_UNROLL
  for (int n = 0; n < 2; ++n) {
    bias[n][0] = bias[n][2] = weights->bias1[2 * n * 32 + l.lane];
    bias[n][1] = bias[n][3] = weights->bias1[(2 * n + 1) * 32 + l.lane];
  }
  unsigned group = 0, turn = 0;
  for (std::int64_t image = blockIdx.x; image < count; image += gridDim.x, ++turn) {
    const unsigned buffer = turn % 2;
    gpu::mbarrier_wait(&shared.image_full[buffer], turn / 2 % 2);
    const unsigned char* base = shared.images[buffer] + l.t * kImagePitch + 12 * pixel;
    for (int row = 0; row < kGroups; ++row, ++group) {
      const unsigned slot = group % kFirstSlots;
      gpu::mbarrier_wait(&shared.first_empty[slot], group / kFirstSlots % 2 ^ 1);
      GPU_NO_UNROLL
      for (int q = 0; q < 2; ++q) {
        const int r = 2 * q + parity;
        const auto* bytes = reinterpret_cast<const std::uint32_t*>(base + 2 * (4 * row + r) * kImagePitch);
        std::uint32_t x[5], a[3][4];
        GPU_UNROLL
        for (int i = 0; i < 5; ++i) x[i] = bytes[i];
        // 0x6400 with a byte below is 1024 and the byte, in fp16.
        GPU_UNROLL
        for (int k = 0; k < 3; ++k) {
          a[k][0] = __byte_perm(x[k], 0x64646464U, 0x4140);
          a[k][1] = __byte_perm(x[k + 1], 0x64646464U, 0x4342);
          a[k][2] = __byte_perm(x[k], 0x64646464U, 0x4342);
          a[k][3] = __byte_perm(x[k + 2], 0x64646464U, 0x4140);
          GPU_UNROLL
          for (int j = 0; j < 4; ++j) a[k][j] = gpu::half2_subtract(a[k][j], 0x64006400U);
        }
        std::uint32_t even[2], odd[2];
        GPU_UNROLL
        for (int n = 0; n < 2; ++n) {
          float sum[4][4];
          GPU_UNROLL
          for (int v = 0; v < 4; ++v) {
            const std::uint32_t* b = w + (v * 2 + n) * 6;
            gpu::mma_m16n8k16(sum[v], a[0], b[0], b[1], bias[n]);
            gpu::mma_m16n8k16(sum[v], a[1], b[2], b[3], sum[v]);
            gpu::mma_m16n8k16(sum[v], a[2], b[4], b[5], sum[v]);
          }
          float m[4];
          GPU_UNROLL
          for (int i = 0; i < 4; ++i) m[i] = pool(sum[0][i], sum[1][i], sum[2][i], sum[3][i]);
          even[n] = gpu::pack_half2(m[0], m[1]);
          odd[n] = gpu::pack_half2(m[2], m[3]);
        }
        if (pixel < kSecondGrid / 2) {
          unsigned char* out = shared.first[slot][r] + l.t / 2 * kFirstPlane + pixel * 16 + l.t % 2 * 8;
          *reinterpret_cast<uint2*>(out) = make_uint2(even[0], even[1]);
          *reinterpret_cast<uint2*>(out + 2 * kFirstPlane + 16) = make_uint2(odd[0], odd[1]);
        }
      }
      __syncwarp();
      arrive_once(l, &shared.first_full[slot]);
    }
    arrive_once(l, &shared.image_empty[buffer]);
  }
}

// enc2. A product is 16 windows (8 of a row, 8 of the row below) x 8 channels, one tap deep; the four
// positions of a patch row serve every tap and variant that meets them.
GPU_DEVICE void second_stage(Shared& shared, const EncoderWeights* weights, const Lane& l, int strip,
                             std::int64_t count) {
  std::uint32_t w[18];
  GPU_UNROLL
  for (int i = 0; i < 18; ++i) w[i] = weights->kernel2[i * 32 + l.lane];
  float bias[4];
  bias[0] = bias[2] = weights->bias2[l.lane];
  bias[1] = bias[3] = weights->bias2[32 + l.lane];
  const int pixel = 8 * strip + l.g;
  unsigned first_group = 0, group = 0;
  for (std::int64_t image = blockIdx.x; image < count; image += gridDim.x, first_group += kGroups) {
    for (int row = 0; row < kGroups; ++row, ++group) {
      if (row == 0)
        gpu::mbarrier_wait(&shared.first_full[first_group % kFirstSlots], first_group / kFirstSlots % 2);
      if (row + 1 < kGroups) {
        const unsigned next = first_group + row + 1;
        gpu::mbarrier_wait(&shared.first_full[next % kFirstSlots], next / kFirstSlots % 2);
      }
      float sum[4][4];
      GPU_UNROLL
      for (int r = 0; r < 4; ++r) {
        const int y = 4 * row - 1 + r + 2 * (l.lane / 8 % 2);  // of enc1's output
        const unsigned char* from = y < 0 || y >= kSecondGrid
                                        ? shared.first_zero
                                        : shared.first[(first_group + y / 4) % kFirstSlots][y % 4];
        from += l.lane / 16 * kFirstPlane + (8 * strip + l.lane % 8) * 16;
        std::uint32_t a[4][4];
        gpu::ldmatrix_x4(a[0], from + 2 * kFirstPlane);
        gpu::ldmatrix_x4(a[1], from);
        gpu::ldmatrix_x4(a[2], from + 2 * kFirstPlane + 16);
        gpu::ldmatrix_x4(a[3], from + 16);
        GPU_UNROLL
        for (int tap_x = 0; tap_x < 3; ++tap_x) {
          GPU_UNROLL
          for (int v = 0; v < 4; ++v) {
            const int tap_y = r - v / 2;
            if (tap_y < 0 || tap_y > 2) continue;
            const std::uint32_t* b = w + (tap_y * 3 + tap_x) * 2;
            const bool begins = tap_y == 0 && tap_x == 0;
            gpu::mma_m16n8k16(sum[v], a[v % 2 + tap_x], b[0], b[1], begins ? bias : sum[v]);
          }
        }
      }
      float m[4];
      GPU_UNROLL
      for (int i = 0; i < 4; ++i) m[i] = pool(sum[0][i], sum[1][i], sum[2][i], sum[3][i]);
      const unsigned slot = group % kSecondSlots;
      gpu::mbarrier_wait(&shared.second_empty[slot], group / kSecondSlots % 2 ^ 1);
      if (pixel < kThirdGrid) {
        const int at = pixel % 2 * (kSecondPlane + 16) + pixel / 2 * 16 + l.t * 4;
        *reinterpret_cast<std::uint32_t*>(shared.second[slot][0] + at) = gpu::pack_half2(m[0], m[1]);
        *reinterpret_cast<std::uint32_t*>(shared.second[slot][1] + at) = gpu::pack_half2(m[2], m[3]);
      }
      __syncwarp();
      arrive_once(l, &shared.second_full[slot]);
      // This group's last row is still read with the next.
      if (row > 0) arrive_once(l, &shared.first_empty[(first_group + row - 1) % kFirstSlots]);
      if (row + 1 == kGroups) arrive_once(l, &shared.first_empty[(first_group + row) % kFirstSlots]);
    }
  }
}

// enc3, two rows of the code at a time, and the copies. Positions of a patch row go in pairs: 16 numbers deep
// for taps 0 and 1, 8 for tap 2.
GPU_DEVICE void third_stage(Shared& shared, const gpu::TensorMap& map, const EncoderWeights* weights,
                            const Lane& l, float* codes, std::int64_t count) {
  std::uint32_t w[9];
  GPU_UNROLL
  for (int i = 0; i < 9; ++i) w[i] = weights->kernel3[i * 32 + l.lane];
  float bias[4];
  bias[0] = bias[2] = weights->bias3[l.lane];
  bias[1] = bias[3] = weights->bias3[32 + l.lane];
  const std::int64_t step = gridDim.x;
  if (l.lane == 0)
    for (int b = 0; b < 2; ++b)
      if (blockIdx.x + b * step < count) load_image(shared, map, blockIdx.x + b * step, b);
  __syncwarp();
  unsigned first_group = 0, turn = 0;
  for (std::int64_t image = blockIdx.x; image < count; image += step, ++turn, first_group += kGroups) {
    float* out = codes + image * kCodeLength;
    int waited = 0;
    for (int pair = 0; pair < (kGroups + 1) / 2; ++pair) {
      const int needed = min(2 * pair + 2, kGroups - 1);
      for (; waited <= needed; ++waited) {
        const unsigned group = first_group + waited;
        gpu::mbarrier_wait(&shared.second_full[group % kSecondSlots], group / kSecondSlots % 2);
      }
      GPU_NO_UNROLL
      for (int strip = 0; strip < 3; ++strip) {
        float sum[4][4];
        GPU_UNROLL
        for (int r = 0; r < 4; ++r) {
          const int y = 4 * pair - 1 + r + 2 * (l.lane / 8 % 2);  // of enc2's output
          const unsigned char* from = y < 0 || y >= kThirdGrid
                                          ? shared.second_zero
                                          : shared.second[(first_group + y / 2) % kSecondSlots][y % 2];
          from += (8 * strip + l.lane % 8) * 16;
          const int second = l.lane / 16;  // of a pair's positions
          std::uint32_t p01[4], p12[4], p23[4];
          gpu::ldmatrix_x4(p01, from + (second != 0 ? 0 : kSecondPlane));
          gpu::ldmatrix_x4(p12, from + (second != 0 ? kSecondPlane + 16 : 0));
          gpu::ldmatrix_x4(p23, from + (second != 0 ? 16 : kSecondPlane + 16));
          GPU_UNROLL
          for (int v = 0; v < 4; ++v) {
            const int tap_y = r - v / 2;
            if (tap_y < 0 || tap_y > 2) continue;
            gpu::mma_m16n8k16(sum[v], v % 2 != 0 ? p12 : p01, w[3 * tap_y], w[3 * tap_y + 1],
                              tap_y == 0 ? bias : sum[v]);
            gpu::mma_m16n8k8(sum[v], p23[v % 2 * 2], p23[v % 2 * 2 + 1], w[3 * tap_y + 2], sum[v]);
          }
        }
        float m[4];
        GPU_UNROLL
        for (int i = 0; i < 4; ++i) m[i] = pool(sum[0][i], sum[1][i], sum[2][i], sum[3][i]);
        const int x = 8 * strip + l.g, y = 2 * pair;
        if (x < kOut) {
          float* at = out + (y * kOut + x) * kCodeChannels + 2 * l.t;
          *reinterpret_cast<float2*>(at) = make_float2(m[0], m[1]);
          if (y + 1 < kOut) *reinterpret_cast<float2*>(at + kOut * kCodeChannels) = make_float2(m[2], m[3]);
        }
      }
      __syncwarp();
      // Row 4 pair + 3 is read once more: its group stays.
      if (pair > 0) arrive_once(l, &shared.second_empty[(first_group + 2 * pair - 1) % kSecondSlots]);
      arrive_once(l, &shared.second_empty[(first_group + 2 * pair) % kSecondSlots]);
    }
    if (l.lane == 0 && image + 2 * step < count) {
      const int buffer = static_cast<int>(turn % 2);
      gpu::mbarrier_wait(&shared.image_empty[buffer], turn / 2 % 2);
      load_image(shared, map, image + 2 * step, buffer);
    }
    __syncwarp();
  }
}

__global__ void __launch_bounds__(kThreads, 1)
    encode_half_kernel(const __grid_constant__ gpu::TensorMap map, const EncoderWeights* __restrict__ weights,
                       float* __restrict__ codes, std::int64_t count) {
  GPU_DYNAMIC_SHARED(raw);
  auto& shared = *reinterpret_cast<Shared*>(raw);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  const Lane l = {thread % 32, thread % 32 / 4, thread % 4};
  if (thread == 0) {
    for (int i = 0; i < 2; ++i) {
      gpu::mbarrier_init(&shared.image_full[i], 1);
      gpu::mbarrier_init(&shared.image_empty[i], kFirstWarps);
    }
    for (int i = 0; i < kFirstSlots; ++i) {
      gpu::mbarrier_init(&shared.first_full[i], kFirstWarps);
      gpu::mbarrier_init(&shared.first_empty[i], kSecondWarps);
    }
    for (int i = 0; i < kSecondSlots; ++i) {
      gpu::mbarrier_init(&shared.second_full[i], kSecondWarps);
      gpu::mbarrier_init(&shared.second_empty[i], 1);
    }
    gpu::fence_async_proxy();
  }
  // The columns beside the pictures and the zero rows stay zero.
  constexpr int kWords =
      (sizeof shared.first + sizeof shared.first_zero + sizeof shared.second + sizeof shared.second_zero) / 4;
  auto* words = reinterpret_cast<std::uint32_t*>(raw + sizeof shared.images);
  for (int i = thread; i < kWords; i += kThreads) words[i] = 0;
  __syncthreads();
  if (warp < kFirstWarps) {
    first_stage(shared, weights, l, warp, count);
  } else if (warp < kFirstWarps + kSecondWarps) {
    second_stage(shared, weights, l, warp - kFirstWarps, count);
  } else {
    third_stage(shared, map, weights, l, codes, count);
  }
}

}  // namespace

void encode_half(const std::uint8_t* images, const EncoderWeights* weights, float* codes, std::int64_t count,
                 gpu::Stream stream) {
  if (count == 0) return;
  const gpu::Properties device = gpu::properties();
  if (device.major < 9)
    throw gpu::Error("encoding in fp16 wants compute capability 9.0, the device has " +
                     std::to_string(device.major) + "." + std::to_string(device.minor));
  gpu::TensorLayout layout;
  layout.base = images;
  layout.size_x = kImageSize * kImageChannels / 2;
  layout.size_y = kImageSize;
  layout.size_z = count;
  layout.pitch_y = kPitchedRow;
  layout.pitch_z = kPitchedImage;
  layout.box_x = kImagePitch / 2;
  layout.box_y = kImageRows;
  const auto blocks = static_cast<unsigned>(count < device.multiprocessors ? count : device.multiprocessors);
  gpu::launch("encode_half", {blocks, kThreads, sizeof(Shared), stream}, encode_half_kernel,
              gpu::make_tensor_map(layout), weights, codes, count);
}

}  // namespace lookalike::cuda
