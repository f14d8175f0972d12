#include "kernels/cuda/gemm.h"

#include <cublas_v2.h>

#include <climits>
#include <string>

namespace lookalike::cuda {
namespace {

// What cuBLAS's manual advises for sm_90; less does elsewhere.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw gpu::Error(std::string(what) + ": " + cublasGetStatusString(status));
}

}  // namespace

MatrixLibrary::MatrixLibrary(gpu::Stream stream) : workspace_(kWorkspaceBytes) {
  check(cublasCreate_v2(&handle_), "cublasCreate");
  try {
    check(cublasSetStream_v2(handle_, stream), "cublasSetStream");
    check(cublasSetMathMode(handle_, CUBLAS_PEDANTIC_MATH), "cublasSetMathMode");
    check(cublasSetWorkspace_v2(handle_, workspace_.data(), workspace_.size()), "cublasSetWorkspace");
  } catch (...) {
    (void)cublasDestroy_v2(handle_);
    throw;
  }
}
MatrixLibrary::~MatrixLibrary() { (void)cublasDestroy_v2(handle_); }

void MatrixLibrary::product(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n,
                            std::int64_t k) const {
  if (m == 0 || n == 0) return;
  if (m < 0 || n < 0 || k < 1 || m > INT_MAX || n > INT_MAX || k > INT_MAX)
    throw gpu::Error("a matrix product of " + std::to_string(m) + " x " + std::to_string(n) + " x " +
                     std::to_string(k));
  const float one = 1.0F, zero = 0.0F;
  // cuBLAS is column-major: to it c is (N, M) = b^T a with b (K, N) transposed and a (K, M).
  const auto columns = [](std::int64_t count) { return static_cast<int>(count); };
  check(cublasSgemm_v2(handle_, CUBLAS_OP_T, CUBLAS_OP_N, columns(n), columns(m), columns(k), &one, b,
                       columns(k), a, columns(k), &zero, c, columns(n)),
        "cublasSgemm");
}

}  // namespace lookalike::cuda
