#include "kernels/cuda/conv.h"

#include <cudnn.h>

#include <algorithm>
#include <climits>
#include <string>
#include <utility>

namespace lookalike::cuda {
namespace {

// Deterministic; those of the other numbers add with atomics or transform. docs: cudnnConvolutionBwd*Algo_t.
constexpr cudnnConvolutionFwdAlgo_t kForward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr cudnnConvolutionBwdDataAlgo_t kDataGradient = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
constexpr cudnnConvolutionBwdFilterAlgo_t kKernelGradient = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

constexpr float kOne = 1.0F;
constexpr float kZero = 0.0F;

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw gpu::Error(std::string(what) + ": " + cudnnGetErrorString(status));
}

int int_of(std::int64_t value, const char* what) {
  if (value < 1 || value > INT_MAX)
    throw gpu::Error(std::string("a convolution's ") + what + " is " + std::to_string(value));
  return static_cast<int>(value);
}

}  // namespace

ConvolutionLibrary::ConvolutionLibrary(gpu::Stream stream) {
  check(cudnnCreate(&handle_), "cudnnCreate");
  try {
    check(cudnnSetStream(handle_, stream), "cudnnSetStream");
  } catch (...) {
    (void)cudnnDestroy(handle_);
    throw;
  }
}
ConvolutionLibrary::~ConvolutionLibrary() { (void)cudnnDestroy(handle_); }

std::string ConvolutionLibrary::version() {
  const std::size_t v = cudnnGetVersion();
  return std::to_string(v / 10000) + '.' + std::to_string(v / 100 % 100) + '.' + std::to_string(v % 100);
}

Convolution::Convolution(const ConvolutionLibrary& library, const ConvolutionShape& shape, bool gradients)
    : handle_(library.handle()) {
  const int images = int_of(shape.images, "number of images");
  const int size = int_of(shape.size, "size");
  const int in_channels = int_of(shape.in_channels, "number of channels");
  const int out_channels = int_of(shape.out_channels, "number of channels");
  try {
    check(cudnnCreateTensorDescriptor(&in_), "cudnnCreateTensorDescriptor");
    check(cudnnCreateTensorDescriptor(&out_), "cudnnCreateTensorDescriptor");
    check(cudnnCreateFilterDescriptor(&kernel_), "cudnnCreateFilterDescriptor");
    check(cudnnCreateConvolutionDescriptor(&convolution_), "cudnnCreateConvolutionDescriptor");
    check(
        cudnnSetTensor4dDescriptor(in_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, images, in_channels, size, size),
        "cudnnSetTensor4dDescriptor");
    check(cudnnSetTensor4dDescriptor(out_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, images, out_channels, size,
                                     size),
          "cudnnSetTensor4dDescriptor");
    check(cudnnSetFilter4dDescriptor(kernel_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, out_channels, in_channels,
                                     3, 3),
          "cudnnSetFilter4dDescriptor");
    check(cudnnSetConvolution2dDescriptor(convolution_, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor");
    check(cudnnSetConvolutionMathType(convolution_, CUDNN_FMA_MATH), "cudnnSetConvolutionMathType");
    std::size_t bytes = 0;
    check(
        cudnnGetConvolutionForwardWorkspaceSize(handle_, in_, kernel_, convolution_, out_, kForward, &bytes),
        "cudnnGetConvolutionForwardWorkspaceSize");
    workspace_bytes_ = bytes;
    if (!gradients) return;
    check(cudnnGetConvolutionBackwardDataWorkspaceSize(handle_, kernel_, out_, convolution_, in_,
                                                       kDataGradient, &bytes),
          "cudnnGetConvolutionBackwardDataWorkspaceSize");
    workspace_bytes_ = std::max(workspace_bytes_, bytes);
    check(cudnnGetConvolutionBackwardFilterWorkspaceSize(handle_, in_, out_, convolution_, kernel_,
                                                         kKernelGradient, &bytes),
          "cudnnGetConvolutionBackwardFilterWorkspaceSize");
    workspace_bytes_ = std::max(workspace_bytes_, bytes);
  } catch (...) {
    destroy();
    throw;
  }
}

Convolution::Convolution(Convolution&& other) noexcept
    : handle_(other.handle_),
      in_(std::exchange(other.in_, nullptr)),
      out_(std::exchange(other.out_, nullptr)),
      kernel_(std::exchange(other.kernel_, nullptr)),
      convolution_(std::exchange(other.convolution_, nullptr)),
      workspace_bytes_(other.workspace_bytes_) {}

Convolution::~Convolution() { destroy(); }

void Convolution::destroy() noexcept {
  if (convolution_ != nullptr) (void)cudnnDestroyConvolutionDescriptor(convolution_);
  if (kernel_ != nullptr) (void)cudnnDestroyFilterDescriptor(kernel_);
  if (out_ != nullptr) (void)cudnnDestroyTensorDescriptor(out_);
  if (in_ != nullptr) (void)cudnnDestroyTensorDescriptor(in_);
}

void Convolution::forward(const float* in, const float* kernel, float* out,
                          const Workspace& workspace) const {
  check(cudnnConvolutionForward(handle_, &kOne, in_, in, kernel_, kernel, convolution_, kForward,
                                workspace.data, workspace.bytes, &kZero, out_, out),
        "cudnnConvolutionForward");
}

void Convolution::data_gradient(const float* out_gradient, const float* kernel, float* in_gradient,
                                const Workspace& workspace) const {
  check(
      cudnnConvolutionBackwardData(handle_, &kOne, kernel_, kernel, out_, out_gradient, convolution_,
                                   kDataGradient, workspace.data, workspace.bytes, &kZero, in_, in_gradient),
      "cudnnConvolutionBackwardData");
}

void Convolution::kernel_gradient(const float* in, const float* out_gradient, float* kernel_gradient,
                                  bool accumulate, const Workspace& workspace) const {
  check(cudnnConvolutionBackwardFilter(handle_, &kOne, in_, in, out_, out_gradient, convolution_,
                                       kKernelGradient, workspace.data, workspace.bytes,
                                       accumulate ? &kOne : &kZero, kernel_, kernel_gradient),
        "cudnnConvolutionBackwardFilter");
}

}  // namespace lookalike::cuda
