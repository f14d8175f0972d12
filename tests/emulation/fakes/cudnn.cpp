// Convolutions on the host, as the descriptors say: format (and with it strides), sizes, padding, stride,
// dilation, mode, alpha and beta. Sums are double, rounded once: what the emulated tests judge is all that is
// ours. What these loops cannot do, or a caller forgot to set, is refused; a workspace is asked for and
// poisoned, so that nothing else may lie in it.
#include <cudnn.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/emulation/streams.h"

struct cudnnContext {
  CUstream_st* stream = nullptr;
};
struct Axes {  // of a tensor (N, C, H, W) or a filter (K, C, R, S), in any memory order
  std::int64_t size[4] = {0, 0, 0, 0};
  std::int64_t stride[4] = {0, 0, 0, 0};
  std::int64_t at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
    return a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3];
  }
  std::int64_t count() const { return size[0] * size[1] * size[2] * size[3]; }
};
struct cudnnTensorStruct : Axes {};
struct cudnnFilterStruct : Axes {};
struct cudnnConvolutionStruct {
  bool set = false;
  int pad_h = 0, pad_w = 0, stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0;
  bool flipped = false;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace {

constexpr std::size_t kWorkspaceBytes = 4096;

cudnnStatus_t set_axes(Axes& axes, cudnnTensorFormat_t format, cudnnDataType_t type, int n, int c, int h,
                       int w) {
  if (type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
  if (n < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
  const std::int64_t s[4] = {n, c, h, w};
  std::memcpy(axes.size, s, sizeof s);
  const bool last = format == CUDNN_TENSOR_NHWC;  // channels come last
  axes.stride[0] = s[1] * s[2] * s[3];
  axes.stride[1] = last ? 1 : s[2] * s[3];
  axes.stride[2] = last ? s[3] * s[1] : s[3];
  axes.stride[3] = last ? s[1] : 1;
  return CUDNN_STATUS_SUCCESS;
}

std::int64_t out_size(std::int64_t in, int pad, std::int64_t taps, int stride, int dilation) {
  return (in + 2 * pad - ((taps - 1) * dilation + 1)) / stride + 1;
}

cudnnStatus_t check(const Axes& x, const Axes& w, const cudnnConvolutionStruct& by, const Axes& y) {
  // What cuDNN would take too, but not as float32 without TF32.
  if (!by.set || by.math != CUDNN_FMA_MATH) return CUDNN_STATUS_NOT_SUPPORTED;
  const bool fits = x.size[0] == y.size[0] && x.size[1] == w.size[1] && y.size[1] == w.size[0] &&
                    y.size[2] == out_size(x.size[2], by.pad_h, w.size[2], by.stride_h, by.dilation_h) &&
                    y.size[3] == out_size(x.size[3], by.pad_w, w.size[3], by.stride_w, by.dilation_w);
  return fits ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

// A filter as (R, S, C, K) without gaps, turned over where the mode says so: what the loops below read fast.
struct Taps {
  Taps(const Axes& axes, bool flipped)
      : of(&axes), flip(flipped), values(static_cast<std::size_t>(axes.count())) {}
  std::int64_t index(std::int64_t r, std::int64_t s, std::int64_t c) const {
    return ((r * of->size[3] + s) * of->size[1] + c) * of->size[0];
  }
  // visit(value here, index there)
  template <class Visit>
  void for_each(const Visit& visit) {
    std::size_t i = 0;
    for (std::int64_t r = 0; r < of->size[2]; ++r)
      for (std::int64_t s = 0; s < of->size[3]; ++s)
        for (std::int64_t c = 0; c < of->size[1]; ++c)
          for (std::int64_t k = 0; k < of->size[0]; ++k, ++i)
            visit(values[i],
                  flip ? of->at(k, c, of->size[2] - 1 - r, of->size[3] - 1 - s) : of->at(k, c, r, s));
  }
  const Axes* of;
  bool flip;
  std::vector<double> values;
};

// visit(index of x's channel 0, index of the taps' channel 0, index of y's channel 0) for every tap inside x
// of row i of y.
template <class Visit>
void for_each_tap(const Axes& x, const Taps& w, const cudnnConvolutionStruct& by, const Axes& y,
                  std::int64_t n, std::int64_t i, const Visit& visit) {
  for (std::int64_t j = 0; j < y.size[3]; ++j)
    for (std::int64_t r = 0; r < w.of->size[2]; ++r) {
      const std::int64_t row = i * by.stride_h + r * by.dilation_h - by.pad_h;
      if (row < 0 || row >= x.size[2]) continue;
      for (std::int64_t s = 0; s < w.of->size[3]; ++s) {
        const std::int64_t column = j * by.stride_w + s * by.dilation_w - by.pad_w;
        if (column >= 0 && column < x.size[3])
          visit(x.at(n, 0, row, column), w.index(r, s, 0), y.at(n, 0, i, j));
      }
    }
}

// result = alpha sum + beta result, where beta 0 does not read it.
void blend(const std::vector<double>& sum, float a, float b, void* result) {
  auto* to = static_cast<float*>(result);
  for (std::size_t i = 0; i < sum.size(); ++i)
    to[i] = b == 0.0F ? a * static_cast<float>(sum[i]) : a * static_cast<float>(sum[i]) + b * to[i];
}

cudnnStatus_t workspace(const Axes& x, const Axes& w, const cudnnConvolutionStruct& by, const Axes& y,
                        bool deterministic, std::size_t* bytes) {
  *bytes = kWorkspaceBytes;
  return deterministic ? check(x, w, by, y) : CUDNN_STATUS_NOT_SUPPORTED;
}
cudnnStatus_t begin(const cudnnContext& handle, const Axes& x, const Axes& w,
                    const cudnnConvolutionStruct& by, const Axes& y, bool deterministic, void* memory,
                    std::size_t bytes) {
  if (!deterministic) return CUDNN_STATUS_NOT_SUPPORTED;
  if (memory == nullptr || bytes < kWorkspaceBytes) return CUDNN_STATUS_BAD_PARAM;
  lookalike::emu::enqueue(handle.stream, [memory] { std::memset(memory, 0xff, kWorkspaceBytes); });
  return check(x, w, by, y);
}
float scalar(const void* value) { return *static_cast<const float*>(value); }

template <class T>
cudnnStatus_t create(T** object) {
  *object = new T;
  return CUDNN_STATUS_SUCCESS;
}
template <class T>
cudnnStatus_t destroy(T* object) {
  delete object;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_BAD_PARAM";
}
std::size_t cudnnGetVersion() { return 90000; }
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) { return create(handle); }
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return destroy(handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, CUstream_st* stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) { return create(tensor); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) { return destroy(tensor); }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  return set_axes(*tensor, format, type, n, c, h, w);
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) { return create(filter); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) { return destroy(filter); }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  return set_axes(*filter, format, type, k, c, h, w);
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* convolution) {
  return create(convolution);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) {
  return destroy(convolution);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type) {
  if (type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
  if (stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1) return CUDNN_STATUS_BAD_PARAM;
  *convolution = {true,
                  pad_h,
                  pad_w,
                  stride_h,
                  stride_w,
                  dilation_h,
                  dilation_w,
                  mode == CUDNN_CONVOLUTION,
                  convolution->math};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t math) {
  convolution->math = math;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w,
                                                      cudnnConvolutionDescriptor_t by,
                                                      cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t,
                                                      std::size_t* bytes) {
  return workspace(*x, *w, *by, *y, true, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t by,
    cudnnTensorDescriptor_t dx, cudnnConvolutionBwdDataAlgo_t algorithm, std::size_t* bytes) {
  return workspace(*dx, *w, *by, *dy, algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t by,
    cudnnFilterDescriptor_t dw, cudnnConvolutionBwdFilterAlgo_t algorithm, std::size_t* bytes) {
  return workspace(*x, *dw, *by, *dy, algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x_of,
                                      const void* x, cudnnFilterDescriptor_t w_of, const void* w,
                                      cudnnConvolutionDescriptor_t by, cudnnConvolutionFwdAlgo_t,
                                      void* memory, std::size_t bytes, const void* beta,
                                      cudnnTensorDescriptor_t y_of, void* y) {
  const cudnnStatus_t status = begin(*handle, *x_of, *w_of, *by, *y_of, true, memory, bytes);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  lookalike::emu::enqueue(handle->stream, [=, x_of = *x_of, w_of = *w_of, y_of = *y_of, by = *by,
                                           a = scalar(alpha), b = scalar(beta)] {
    std::vector<double> sum(static_cast<std::size_t>(y_of.count()));
    const auto *in = static_cast<const float*>(x), *kernel = static_cast<const float*>(w);
    Taps taps(w_of, by.flipped);
    taps.for_each([&](double& value, std::int64_t at) { value = static_cast<double>(kernel[at]); });
    const std::int64_t c_count = x_of.size[1], k_count = y_of.size[1], c_step = x_of.stride[1],
                       k_step = y_of.stride[1];
    for (std::int64_t n = 0; n < y_of.size[0]; ++n)
      for (std::int64_t row = 0; row < y_of.size[2]; ++row)
        for_each_tap(x_of, taps, by, y_of, n, row, [&](std::int64_t i, std::int64_t t, std::int64_t o) {
          double* to = sum.data() + o;
          for (std::int64_t c = 0; c < c_count; ++c) {
            const double* tap = taps.values.data() + t + c * k_count;
            const auto value = static_cast<double>(in[i + c * c_step]);
            for (std::int64_t k = 0; k < k_count; ++k) to[k * k_step] += value * tap[k];
          }
        });
    blend(sum, a, b, y);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t w_of, const void* w,
                                           cudnnTensorDescriptor_t dy_of, const void* dy,
                                           cudnnConvolutionDescriptor_t by,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* memory,
                                           std::size_t bytes, const void* beta, cudnnTensorDescriptor_t dx_of,
                                           void* dx) {
  const cudnnStatus_t status = begin(*handle, *dx_of, *w_of, *by, *dy_of,
                                     algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, memory, bytes);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  lookalike::emu::enqueue(handle->stream, [=, w_of = *w_of, dy_of = *dy_of, dx_of = *dx_of, by = *by,
                                           a = scalar(alpha), b = scalar(beta)] {
    std::vector<double> sum(static_cast<std::size_t>(dx_of.count()));
    const auto *kernel = static_cast<const float*>(w), *gradient = static_cast<const float*>(dy);
    Taps taps(w_of, by.flipped);
    taps.for_each([&](double& value, std::int64_t at) { value = static_cast<double>(kernel[at]); });
    const std::int64_t c_count = dx_of.size[1], k_count = dy_of.size[1], c_step = dx_of.stride[1],
                       k_step = dy_of.stride[1];
    for (std::int64_t n = 0; n < dy_of.size[0]; ++n)
      for (std::int64_t row = 0; row < dy_of.size[2]; ++row)
        for_each_tap(dx_of, taps, by, dy_of, n, row, [&](std::int64_t i, std::int64_t t, std::int64_t o) {
          for (std::int64_t c = 0; c < c_count; ++c) {
            const double* tap = taps.values.data() + t + c * k_count;
            double part = 0.0;
            for (std::int64_t k = 0; k < k_count; ++k)
              part += static_cast<double>(gradient[o + k * k_step]) * tap[k];
            sum[static_cast<std::size_t>(i + c * c_step)] += part;
          }
        });
    blend(sum, a, b, dx);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t x_of, const void* x,
                                             cudnnTensorDescriptor_t dy_of, const void* dy,
                                             cudnnConvolutionDescriptor_t by,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* memory,
                                             std::size_t bytes, const void* beta,
                                             cudnnFilterDescriptor_t dw_of, void* dw) {
  const cudnnStatus_t status = begin(*handle, *x_of, *dw_of, *by, *dy_of,
                                     algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, memory, bytes);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  lookalike::emu::enqueue(handle->stream, [=, x_of = *x_of, dy_of = *dy_of, dw_of = *dw_of, by = *by,
                                           a = scalar(alpha), b = scalar(beta)] {
    const auto *in = static_cast<const float*>(x), *gradient = static_cast<const float*>(dy);
    Taps total(dw_of, by.flipped);
    const std::int64_t c_count = x_of.size[1], k_count = dy_of.size[1], c_step = x_of.stride[1],
                       k_step = dy_of.stride[1];
    for (std::int64_t n = 0; n < dy_of.size[0]; ++n)
      for (std::int64_t row = 0; row < dy_of.size[2]; ++row) {
        Taps part(dw_of, by.flipped);
        for_each_tap(x_of, part, by, dy_of, n, row, [&](std::int64_t i, std::int64_t t, std::int64_t o) {
          for (std::int64_t c = 0; c < c_count; ++c) {
            double* to = part.values.data() + t + c * k_count;
            const auto value = static_cast<double>(in[i + c * c_step]);
            for (std::int64_t k = 0; k < k_count; ++k)
              to[k] += value * static_cast<double>(gradient[o + k * k_step]);
          }
        });
        for (std::size_t i = 0; i < total.values.size(); ++i) total.values[i] += part.values[i];
      }
    std::vector<double> sum(total.values.size());
    total.for_each([&](double& value, std::int64_t at) { sum[static_cast<std::size_t>(at)] = value; });
    blend(sum, a, b, dw);
  });
  return CUDNN_STATUS_SUCCESS;
}
