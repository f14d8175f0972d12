// adam_step and find_non_finite.
#include "kernels/cuda/adam.h"

#include "kernels/cuda/non_finite.h"
#include "tests/cuda/device_test.h"
#include "tests/reference/adam.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

class Adam : public DeviceTest {
 protected:
  static constexpr std::int64_t kCount = 300;
  struct Buffers {
    gpu::Buffer<float> parameters{random_floats(kCount, -1, 1, 1)};
    gpu::Buffer<float> m{std::vector<float>(kCount)};
    gpu::Buffer<float> v{std::vector<float>(kCount)};
  };
  static cuda::AdamState state(const gpu::Buffer<float>& gradient, const Buffers& on) {
    return {gradient.data(), on.parameters.data(), on.m.data(), on.v.data(), kCount};
  }
};

// The same steps in double from values rounded to float after each: within the roundings of one step, 3 of
// m and v at 2^-24 and one of the parameter.
TEST_F(Adam, FollowsTheReference) {
  const AdamOptions options{.learning_rate = 0.01};
  const Buffers on;
  for (std::int64_t step = 1; step <= 12; ++step) {
    const auto gradient = random_floats(kCount, -1e-3, 1e-3, static_cast<std::uint64_t>(step));
    auto parameters = doubles(on.parameters.host()), m = doubles(on.m.host()), v = doubles(on.v.host());
    const std::vector<double> before = parameters;
    reference::adam_step(options, step, doubles(gradient), parameters, m, v);
    const gpu::Buffer<float> d_gradient(gradient);
    cuda::adam_step(options, step, {}, state(d_gradient, on), nullptr);
    const std::string inputs = "step " + std::to_string(step);
    const auto relative = [](const std::vector<double>& of, double units) {
      return [&of, units](std::size_t i) { return units * 0x1p-24 * std::abs(of[i]); };
    };
    EXPECT_TRUE(within({"m", {kCount}, inputs}, m, on.m.host(), relative(m, 1)));
    EXPECT_TRUE(within({"v", {kCount}, inputs}, v, on.v.host(), relative(v, 1)));
    EXPECT_TRUE(
        within({"parameters", {kCount}, inputs}, parameters, on.parameters.host(), [&](std::size_t i) {
          return 0x1p-24 * (std::abs(parameters[i]) + 3 * std::abs(parameters[i] - before[i]));
        }));
  }
}

TEST_F(Adam, ChangesNothingWhereTheGuardForbids) {
  const gpu::Buffer<float> gradient(random_floats(kCount, -1, 1, 3));
  for (int which = 0; which < 4; ++which) {
    std::vector<double> losses(200, 1.0);
    std::vector<std::int32_t> flags(28, 0);
    if (which == 0) losses[199] = NAN;
    if (which == 1) losses[130] = INFINITY;
    if (which == 2) flags[27] = 1;
    const gpu::Buffer<double> d_losses(losses);
    const gpu::Buffer<std::int32_t> d_flags(flags);
    const Buffers on;
    const auto before = on.parameters.host();
    cuda::adam_step({}, 1, {d_losses.data(), 200, d_flags.data(), 28}, state(gradient, on), nullptr);
    const bool changed = on.parameters.host() != before || on.m.host() != std::vector<float>(kCount);
    EXPECT_EQ(changed, which == 3) << which;
  }
}

TEST_F(Adam, NonFiniteTensorsAreFound) {
  const std::vector<int> begin = {0, 1, 300, 301, 900, 900};
  cuda::TensorBounds bounds;
  bounds.tensors = 5;
  std::copy(begin.begin(), begin.end(), bounds.begin.begin());
  for (int tensor = 0; tensor < 4; ++tensor) {
    for (const float bad : {NAN, INFINITY, -INFINITY, 1e38F}) {
      std::vector<float> values = random_floats(900, -1, 1, 4);
      values[static_cast<std::size_t>(begin[static_cast<std::size_t>(tensor) + 1] - 1)] = bad;
      const gpu::Buffer<float> in(values);
      const GuardedBuffer<std::int32_t> found(5);
      cuda::find_non_finite(in.data(), bounds, found.data(), nullptr);
      std::vector<std::int32_t> expected(5, 0);
      if (!std::isfinite(bad)) expected[static_cast<std::size_t>(tensor)] = 1;
      EXPECT_EQ(found.host(), expected) << tensor << ", " << bad;
      EXPECT_TRUE(found.intact());
    }
  }
}

}  // namespace
}  // namespace lookalike::test
