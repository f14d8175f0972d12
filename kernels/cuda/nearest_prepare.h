// Vectors as nearest_filter.h wants them. All pointers are device memory; vectors are (count, pitch) floats,
// padded with zeros beyond `dimension`.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {

struct FilterVectors {  // (count) each, overwritten
  float* half_lengths = nullptr;
  float* residuals = nullptr;
  double* lengths = nullptr;
};

// The float filter: lengths only, of the vectors themselves.
void prepare_float(const float* vectors, std::int64_t count, std::int64_t pitch, double error,
                   const FilterVectors& out, gpu::Stream stream);

// Means of the first rows (256 at most), in row order: any vector would do. means (pitch), overwritten.
void column_means(const float* rows, std::int64_t count, std::int64_t pitch, float* means,
                  gpu::Stream stream);

// largest = the largest |v - mean| of all numbers and of what it held, NaN counting as infinite.
void largest_deviation(const float* vectors, std::int64_t count, std::int64_t pitch, const float* means,
                       float* largest, gpu::Stream stream);

// scale = the power of two that takes `largest` to [2^13, 2^14); 1 where there is none.
void choose_scale(const float* largest, float* scale, gpu::Stream stream);

// halves (count, pitch), overwritten: fp16(scale (v - mean)).
void prepare_half(const float* vectors, std::int64_t count, std::int64_t pitch, const float* means,
                  const float* scale, double error, std::uint16_t* halves, const FilterVectors& out,
                  gpu::Stream stream);

}  // namespace lookalike::cuda
