// Matrix product by cuBLAS, in plain float32 (no TF32): c(i, j) = sum over l of a(i, l) b(j, l)
//
// a (M, K), b (N, K), c (M, N), row-major; c is overwritten. b is transposed: its rows are vectors, as codes
// and projections are kept. The same bytes for the same shape on one kind of device. Meant for the projection
// of sketches, which the CPU still does: so far only its test and benchmark call it.
#pragma once

#include <cstdint>

#include "kernels/cuda/runtime.h"

struct cublasContext;

namespace lookalike::cuda {

// cuBLAS, on one stream, with a workspace of its own: its results then do not depend on other streams.
class MatrixLibrary {
 public:
  explicit MatrixLibrary(gpu::Stream stream);
  ~MatrixLibrary();
  MatrixLibrary(const MatrixLibrary&) = delete;
  MatrixLibrary& operator=(const MatrixLibrary&) = delete;

  void product(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n,
               std::int64_t k) const;

 private:
  cublasContext* handle_ = nullptr;
  gpu::Buffer<unsigned char> workspace_;
};

}  // namespace lookalike::cuda
