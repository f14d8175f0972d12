// Bytes to padded float: out(n, y, x, c) = in(n, y - 1, x - 1, c) / 255 inside, 0 on the border.
//
// in (N, 150, 150, 3) bytes; out (N, 152, 152, 3), all of it overwritten. The quotient is rounded to nearest,
// so the bytes are those of every other engine. One thread writes one element: N is bounded by 2^31 blocks of
// 256 only. Bound by memory: 67,500 bytes read and 277,248 written for an image.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void pad_bytes(const std::uint8_t* in, float* out, std::int64_t images, gpu::Stream stream);

}  // namespace lookalike::cuda
