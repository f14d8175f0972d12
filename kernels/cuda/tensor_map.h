// A tensor in device memory for the copy engine of sm_90 (TMA): (z, y, x) of 16-bit elements, of which boxes
// (1, box_y, box_x) are copied to shared memory. Elements outside the tensor arrive as 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lookalike::gpu {

struct TensorLayout {
  const void* base = nullptr;                       // 16-byte aligned
  std::int64_t size_x = 0, size_y = 0, size_z = 0;  // elements
  std::int64_t pitch_y = 0, pitch_z = 0;            // bytes, multiples of 16
  std::uint32_t box_x = 0, box_y = 0;               // elements, at most 256; box_x a multiple of 8
};

struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// Throws gpu::Error where the layout breaks a rule above or the driver refuses it.
TensorMap make_tensor_map(const TensorLayout& layout);

}  // namespace lookalike::gpu
