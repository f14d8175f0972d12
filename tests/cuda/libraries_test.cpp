// conv and gemm: cuDNN and cuBLAS on a device, their fakes in the emulated build.
#include <cmath>

#include "kernels/cuda/conv.h"
#include "kernels/cuda/gemm.h"
#include "tests/cuda/activations.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/conv3x3.h"

namespace lookalike::test {
namespace {

using Libraries = DeviceTest;

// (R, S, C, K) -> (K, R, S, C)
std::vector<float> krsc(const std::vector<float>& rsck, int c_count, int k_count) {
  std::vector<float> result;
  for (int k = 0; k < k_count; ++k)
    for (int tap = 0; tap < 9; ++tap)
      for (int c = 0; c < c_count; ++c)
        result.push_back(rsck[static_cast<std::size_t>((tap * c_count + c) * k_count + k)]);
  return result;
}

// Whole numbers -4 .. 4, at most 9 * 16 + 2 * 20 * 20 products of 16: every sum is exact.
TEST_F(Libraries, ConvolutionsEqualTheReference) {
  const std::vector<cuda::ConvolutionShape> shapes = {
      {1, 1, 3, 8}, {2, 5, 16, 3}, {1, 20, 3, 16}, {2, 7, 8, 8}};
  for (const cuda::ConvolutionShape& shape : shapes) {
    const ActivationShape in_shape{shape.images, shape.size, shape.size, shape.in_channels};
    const ActivationShape out_shape{shape.images, shape.size, shape.size, shape.out_channels};
    const auto in = whole_numbers(in_shape.size(), 1);
    const auto kernel = whole_numbers(9 * shape.in_channels * shape.out_channels, 2);
    const auto out_gradient = whole_numbers(out_shape.size(), 3);
    std::vector<float> expected_out, expected_in_gradient;
    std::vector<double> kernel_gradients(kernel.size());
    for (std::int64_t n = 0; n < shape.images; ++n) {
      const auto image = image_of(in, in_shape, n), slope = image_of(out_gradient, out_shape, n);
      append(expected_out, reference::conv3x3(image, doubles(kernel), shape.out_channels).values);
      append(expected_in_gradient,
             reference::conv3x3_data_gradient(slope, doubles(kernel), shape.in_channels).values);
      const auto part = reference::conv3x3_kernel_gradient(image, slope);
      for (std::size_t i = 0; i < part.size(); ++i) kernel_gradients[i] += part[i];
    }
    const auto expected_kernel_gradient =
        krsc({kernel_gradients.begin(), kernel_gradients.end()}, shape.in_channels, shape.out_channels);

    const cuda::ConvolutionLibrary library(nullptr);
    const cuda::Convolution convolution(library, shape, true);
    const GuardedBuffer<unsigned char> memory(static_cast<std::int64_t>(convolution.workspace_bytes()));
    const cuda::Workspace workspace{memory.data(), convolution.workspace_bytes()};
    const gpu::Buffer<float> d_in(in), d_out_gradient(out_gradient);
    const gpu::Buffer<float> d_kernel(krsc(kernel, shape.in_channels, shape.out_channels));
    const GuardedBuffer<float> out(out_shape.size()), in_gradient(in_shape.size());
    const GuardedBuffer<float> kernel_gradient(std::ssize(kernel));
    convolution.forward(d_in.data(), d_kernel.data(), out.data(), workspace);
    convolution.data_gradient(d_out_gradient.data(), d_kernel.data(), in_gradient.data(), workspace);
    convolution.kernel_gradient(d_in.data(), d_out_gradient.data(), kernel_gradient.data(), false, workspace);
    EXPECT_TRUE(equal(where("forward", out_shape, "seeds 1, 2"), expected_out, out.host()));
    EXPECT_TRUE(
        equal(where("data_gradient", in_shape, "seeds 2, 3"), expected_in_gradient, in_gradient.host()));
    const Where weights{"kernel_gradient", {shape.out_channels, 3, 3, shape.in_channels}, "seeds 1, 3"};
    EXPECT_TRUE(equal(weights, expected_kernel_gradient, kernel_gradient.host()));
    convolution.kernel_gradient(d_in.data(), d_out_gradient.data(), kernel_gradient.data(), true, workspace);
    std::vector<float> twice = expected_kernel_gradient;
    for (float& value : twice) value *= 2;
    EXPECT_TRUE(equal(weights, twice, kernel_gradient.host())) << "accumulated";
    EXPECT_TRUE(out.intact() && in_gradient.intact() && kernel_gradient.intact() && memory.intact());
  }
}

// TF32, with ten binary digits behind the point, would take x for 1.
TEST_F(Libraries, ProductsKeepAllOfFloat) {
  const float x = 1.0F + 0x1p-12F;
  const cuda::ConvolutionShape shape{1, 4, 8, 8};
  const cuda::ConvolutionLibrary library(nullptr);
  const cuda::Convolution convolution(library, shape, false);
  const gpu::Buffer<unsigned char> memory(convolution.workspace_bytes());
  std::vector<float> kernel(9 * 64);
  kernel[4 * 8] = x;  // middle tap, from channel 0 to channel 0
  const gpu::Buffer<float> d_kernel(kernel), in(std::vector<float>(128, x));
  const GuardedBuffer<float> out(128);
  convolution.forward(in.data(), d_kernel.data(), out.data(), {memory.data(), memory.size()});
  EXPECT_EQ(out.host()[0], x * x);

  const cuda::MatrixLibrary matrices(nullptr);
  const gpu::Buffer<float> a(std::vector<float>{x, 0.0F}), b(std::vector<float>{x, 1.0F});
  const GuardedBuffer<float> c(1);
  matrices.product(a.data(), b.data(), c.data(), 1, 1, 2);
  EXPECT_EQ(c.host()[0], x * x);
}

TEST_F(Libraries, RefuseShapesThatAreNone) {
  const cuda::ConvolutionLibrary library(nullptr);
  EXPECT_THROW(cuda::Convolution(library, {0, 4, 8, 8}, true), gpu::Error);
  EXPECT_THROW(cuda::Convolution(library, {std::int64_t{1} << 32, 4, 8, 8}, true), gpu::Error);
  const cuda::MatrixLibrary matrices(nullptr);
  EXPECT_THROW(matrices.product(nullptr, nullptr, nullptr, 1, 1, 0), gpu::Error);
  EXPECT_THROW(matrices.product(nullptr, nullptr, nullptr, std::int64_t{1} << 31, 1, 1), gpu::Error);
}

TEST_F(Libraries, MatrixProductsEqualPlainLoops) {
  struct Case {
    std::int64_t m, n, k;
  };
  const cuda::MatrixLibrary matrices(nullptr);
  for (const Case& is : std::vector<Case>{{1, 1, 1}, {3, 5, 7}, {17, 1, 33}, {2, 31, 4}, {0, 3, 3}}) {
    const auto a = whole_numbers(is.m * is.k, 1), b = whole_numbers(is.n * is.k, 2);
    std::vector<float> expected;
    for (std::int64_t i = 0; i < is.m; ++i)
      for (std::int64_t j = 0; j < is.n; ++j) {
        float sum = 0;
        for (std::int64_t l = 0; l < is.k; ++l)
          sum += a[static_cast<std::size_t>(i * is.k + l)] * b[static_cast<std::size_t>(j * is.k + l)];
        expected.push_back(sum);
      }
    const gpu::Buffer<float> d_a(a), d_b(b);
    const GuardedBuffer<float> c(is.m * is.n);
    matrices.product(d_a.data(), d_b.data(), c.data(), is.m, is.n, is.k);
    EXPECT_TRUE(equal({"product", {is.m, is.n}, "seeds 1, 2"}, expected, c.host()));
    EXPECT_TRUE(c.intact());
  }
}

}  // namespace
}  // namespace lookalike::test
