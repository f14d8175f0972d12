// Images by number: out(i) = images(numbers(i)), 67,500 bytes each.
//
// images (M, 150, 150, 3) bytes; numbers (N), each below M, which the caller has checked; out (N, 150, 150,
// 3), all of it overwritten, apart from images. Both must lie on 4 bytes. N is
// at most a grid's 65,535. One thread copies 4 bytes. Bound by memory: an image is read and written once.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void gather_images(const std::uint8_t* images, const std::int64_t* numbers, std::int64_t count,
                   std::uint8_t* out, gpu::Stream stream);

}  // namespace lookalike::cuda
