// The decoder's output as bytes: out(n, y, x, c) = 255 p rounded to nearest, ties to even, with
// p = 1 / (1 + exp(-z)), z = in(n, y + 1, x + 1, c) + bias(c)
//
// in (N, 152, 152, 3), N at most kMaxImages; bias (3); out (N, 150, 150, 3) bytes, all of it overwritten. One
// thread writes one byte. The same bytes every time on one kind of device. Bound by memory: 277,248 bytes
// read and 67,500 written for an image.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

void sigmoid_bytes(const float* in, const float* bias, std::uint8_t* out, std::int64_t images,
                   gpu::Stream stream);

}  // namespace lookalike::cuda
