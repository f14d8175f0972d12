// 3x3 'same' convolutions (cross-correlation, as Keras) and their two adjoints, by cuDNN, in float32 without
// TF32:
//   out(n, y, x, k) = sum over r, s, c of in(n, y + r - 1, x + s - 1, c) kernel(k, r, s, c)
//   in_gradient(n, y + r - 1, x + s - 1, c) += out_gradient(n, y, x, k) kernel(k, r, s, c)
//   kernel_gradient(k, r, s, c) = sum over n, y, x of in(n, y + r - 1, x + s - 1, c) out_gradient(n, y, x, k)
// in (N, H, H, C), zero outside; out (N, H, H, K); kernel (K, R, S, C), cuDNN's order beside NHWC (topology.h
// has (R, S, C, K)). Results are overwritten, kernel_gradient added to where `accumulate` says so.
//
// Algorithms are named, deterministic ones, never searched for: the same bytes for the same shape on one kind
// of device. What cuDNN refuses throws gpu::Error, at construction.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/runtime.h"

struct cudnnContext;  // cuDNN's handles point to these
struct cudnnTensorStruct;
struct cudnnFilterStruct;
struct cudnnConvolutionStruct;

namespace lookalike::cuda {

// cuDNN, on one stream.
class ConvolutionLibrary {
 public:
  explicit ConvolutionLibrary(gpu::Stream stream);
  ~ConvolutionLibrary();
  ConvolutionLibrary(const ConvolutionLibrary&) = delete;
  ConvolutionLibrary& operator=(const ConvolutionLibrary&) = delete;
  cudnnContext* handle() const { return handle_; }
  static std::string version();  // "9.13.0"

 private:
  cudnnContext* handle_ = nullptr;
};

struct ConvolutionShape {
  std::int64_t images = 0;  // N
  int size = 0;             // H
  int in_channels = 0, out_channels = 0;
};

struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// The descriptors of one shape.
class Convolution {
 public:
  // With `gradients` the workspace also does for the adjoints. `library` outlives the convolution.
  Convolution(const ConvolutionLibrary& library, const ConvolutionShape& shape, bool gradients);
  Convolution(Convolution&& other) noexcept;
  Convolution& operator=(Convolution&&) = delete;
  ~Convolution();

  std::size_t workspace_bytes() const { return workspace_bytes_; }

  void forward(const float* in, const float* kernel, float* out, const Workspace& workspace) const;
  void data_gradient(const float* out_gradient, const float* kernel, float* in_gradient,
                     const Workspace& workspace) const;
  void kernel_gradient(const float* in, const float* out_gradient, float* kernel_gradient, bool accumulate,
                       const Workspace& workspace) const;

 private:
  void destroy() noexcept;

  cudnnContext* handle_ = nullptr;
  cudnnTensorStruct* in_ = nullptr;
  cudnnTensorStruct* out_ = nullptr;
  cudnnFilterStruct* kernel_ = nullptr;
  cudnnConvolutionStruct* convolution_ = nullptr;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace lookalike::cuda
