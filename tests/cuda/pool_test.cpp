// bias_relu_pool and its backward.
#include "kernels/cuda/bias_relu_pool.h"
#include "kernels/cuda/pool_backward.h"
#include "tests/cuda/activations.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/bias_relu.h"
#include "tests/reference/max_pool.h"

namespace lookalike::test {
namespace {

using Pool = DeviceTest;

struct Expected {
  std::vector<float> out, in_gradient;
  std::vector<int> winners;
};

Expected by_reference(const ActivationShape& shape, const std::vector<float>& in,
                      const std::vector<float>& bias, const std::vector<float>& out_gradient) {
  Expected expected;
  const ActivationShape half{shape.images, shape.height / 2, shape.width / 2, shape.channels};
  for (std::int64_t n = 0; n < shape.images; ++n) {
    const auto open = reference::relu(reference::add_bias(image_of(in, shape, n), doubles(bias)));
    const auto pooled = reference::max_pool(open);
    const auto gradient = reference::max_pool_gradient(pooled, image_of(out_gradient, half, n));
    append(expected.out, pooled.out.values);
    append(expected.in_gradient, reference::relu_gradient(open, gradient).values);
    for (std::size_t i = 0; i < pooled.argmax.size(); ++i)
      expected.winners.push_back(pooled.out.values[i] > 0.0 ? pooled.argmax[i] : 4);
  }
  return expected;
}

// Whole numbers: no rounding anywhere, so everything is equal, ties included.
TEST_F(Pool, EqualsTheReferenceForwardAndBackward) {
  for (const ActivationShape& shape : even_shapes()) {
    const ActivationShape half{shape.images, shape.height / 2, shape.width / 2, shape.channels};
    const auto in = whole_numbers(shape.size(), 1);
    const auto bias = whole_numbers(shape.channels, 2);
    const auto out_gradient = random_floats(half.size(), -1, 1, 3);
    const Expected expected = by_reference(shape, in, bias, out_gradient);

    const gpu::Buffer<float> d_in(in), d_bias(bias), d_out_gradient(out_gradient);
    const GuardedBuffer<float> out(half.size()), in_gradient(shape.size());
    const GuardedBuffer<std::uint8_t> winners(half.size());
    cuda::bias_relu_pool(d_in.data(), d_bias.data(), out.data(), winners.data(), shape, nullptr);
    cuda::pool_backward(d_out_gradient.data(), winners.data(), in_gradient.data(), shape, nullptr);
    EXPECT_TRUE(equal(where("bias_relu_pool", half, "seeds 1, 2"), expected.out, out.host()));
    EXPECT_TRUE(equal(where("winners", half, "seeds 1, 2"), expected.winners, winners.host()));
    EXPECT_TRUE(
        equal(where("pool_backward", shape, "seeds 1, 2, 3"), expected.in_gradient, in_gradient.host()));
    EXPECT_TRUE(out.intact() && winners.intact() && in_gradient.intact());
  }
}

TEST_F(Pool, NeedsNoWinners) {
  const ActivationShape shape{1, 6, 4, 8}, half{1, 3, 2, 8};
  const gpu::Buffer<float> in(whole_numbers(shape.size(), 5)), bias(whole_numbers(8, 6));
  const GuardedBuffer<float> out(half.size()), with(half.size());
  const GuardedBuffer<std::uint8_t> winners(half.size());
  cuda::bias_relu_pool(in.data(), bias.data(), with.data(), winners.data(), shape, nullptr);
  cuda::bias_relu_pool(in.data(), bias.data(), out.data(), nullptr, shape, nullptr);
  EXPECT_TRUE(equal(where("bias_relu_pool", half, "seeds 5, 6"), with.host(), out.host()));
}

TEST_F(Pool, RefusesOddSizesAndChannels) {
  EXPECT_THROW(cuda::bias_relu_pool(nullptr, nullptr, nullptr, nullptr, {1, 3, 4, 8}, nullptr), gpu::Error);
  EXPECT_THROW(cuda::bias_relu_pool(nullptr, nullptr, nullptr, nullptr, {1, 4, 4, 3}, nullptr), gpu::Error);
  EXPECT_THROW(cuda::pool_backward(nullptr, nullptr, nullptr, {1, 4, 5, 8}, nullptr), gpu::Error);
}

}  // namespace
}  // namespace lookalike::test
