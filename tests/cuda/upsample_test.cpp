// bias_relu_upsample and its backward.
#include "tests/reference/upsample.h"

#include "kernels/cuda/bias_relu_upsample.h"
#include "kernels/cuda/upsample_backward.h"
#include "tests/cuda/activations.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/bias_relu.h"

namespace lookalike::test {
namespace {

using Upsample = DeviceTest;

// Whole numbers: sums of four are exact.
TEST_F(Upsample, EqualsTheReferenceForwardAndBackward) {
  const std::vector<ActivationShape> shapes = {{1, 1, 1, 4},   {2, 1, 3, 8},  {1, 7, 5, 12},
                                               {3, 19, 19, 8}, {2, 9, 4, 16}, {0, 4, 4, 8}};
  for (const ActivationShape& shape : shapes) {
    const ActivationShape twice{shape.images, 2 * shape.height, 2 * shape.width, shape.channels};
    const auto in = whole_numbers(shape.size(), 1);
    const auto bias = whole_numbers(shape.channels, 2);
    const auto out_gradient = whole_numbers(twice.size(), 3);
    std::vector<float> expected_out, expected_gradient;
    for (std::int64_t n = 0; n < shape.images; ++n) {
      const auto open = reference::relu(reference::add_bias(image_of(in, shape, n), doubles(bias)));
      append(expected_out, reference::upsample(open).values);
      const auto gradient = reference::upsample_gradient(image_of(out_gradient, twice, n));
      append(expected_gradient, reference::relu_gradient(open, gradient).values);
    }

    const gpu::Buffer<float> d_in(in), d_bias(bias), d_out_gradient(out_gradient);
    const GuardedBuffer<float> out(twice.size()), in_gradient(shape.size());
    cuda::bias_relu_upsample(d_in.data(), d_bias.data(), out.data(), shape, nullptr);
    cuda::upsample_backward(d_out_gradient.data(), out.data(), in_gradient.data(), shape, nullptr);
    EXPECT_TRUE(equal(where("bias_relu_upsample", twice, "seeds 1, 2"), expected_out, out.host()));
    EXPECT_TRUE(
        equal(where("upsample_backward", shape, "seeds 1, 2, 3"), expected_gradient, in_gradient.host()));
    EXPECT_TRUE(out.intact() && in_gradient.intact());
  }
}

TEST_F(Upsample, RefusesChannelsThatAreNoQuads) {
  EXPECT_THROW(cuda::bias_relu_upsample(nullptr, nullptr, nullptr, {1, 4, 4, 3}, nullptr), gpu::Error);
  EXPECT_THROW(cuda::upsample_backward(nullptr, nullptr, nullptr, {1, 4, 4, 6}, nullptr), gpu::Error);
}

}  // namespace
}  // namespace lookalike::test
