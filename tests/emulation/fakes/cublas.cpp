#include <cublas_v2.h>

#include <cstdint>

#include "tests/emulation/streams.h"

struct cublasContext {
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  void* workspace = nullptr;
  CUstream_st* stream = nullptr;
};

const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED"
                                               : "CUBLAS_STATUS_INVALID_VALUE";
}
cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, CUstream_st* stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, std::size_t) {
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transpose_a,
                              cublasOperation_t transpose_b, int m, int n, int k, const float* alpha,
                              const float* a, int lda, const float* b, int ldb, const float* beta, float* c,
                              int ldc) {
  const bool turn_a = transpose_a == CUBLAS_OP_T, turn_b = transpose_b == CUBLAS_OP_T;
  if (m < 0 || n < 0 || k < 0 || lda < (turn_a ? k : m) || ldb < (turn_b ? n : k) || ldc < m)
    return CUBLAS_STATUS_INVALID_VALUE;
  // What cuBLAS would take too, but not as float32 without TF32, or not the same every time.
  if (handle->math != CUBLAS_PEDANTIC_MATH || handle->workspace == nullptr)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  lookalike::emu::enqueue(handle->stream, [=, alpha = *alpha, beta = *beta] {
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < m; ++i) {
        float sum = 0.0F;
        for (std::int64_t l = 0; l < k; ++l)
          sum += (turn_a ? a[i * lda + l] : a[l * lda + i]) * (turn_b ? b[l * ldb + j] : b[j * ldb + l]);
        float& to = c[j * ldc + i];
        to = beta == 0.0F ? alpha * sum : alpha * sum + beta * to;
      }
  });
  return CUBLAS_STATUS_SUCCESS;
}
