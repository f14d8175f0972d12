#include "kernels/cuda/bias_gradient.h"

#include "tests/cuda/device_test.h"
#include "tests/support/inputs.h"

namespace lookalike::test {
namespace {

using BiasGradient = DeviceTest;

// Large numbers that cancel leave small ones: in float nothing would be right. In double, sums of fewer than
// 2^20 numbers below 2^11, multiples of 2^-20, are exact in any order.
TEST_F(BiasGradient, IsExactWhereDoubleIs) {
  struct Case {
    std::int64_t pixels;
    int channels;
  };
  for (const Case& c :
       std::vector<Case>{{1, 3}, {0, 8}, {63, 3}, {361, 8}, {5000, 16}, {2049, 12}, {40001, 3}}) {
    Random random(static_cast<std::uint64_t>(c.pixels));
    std::vector<float> gradient(static_cast<std::size_t>(c.pixels * c.channels));
    std::vector<double> expected(static_cast<std::size_t>(c.channels));
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const bool large = i / static_cast<std::size_t>(c.channels) % 2 == 0;
      gradient[i] = static_cast<float>(large ? static_cast<double>(random.below(4096)) - 2048.0
                                             : static_cast<double>(random.below(4096)) * 0x1p-20);
      expected[i % static_cast<std::size_t>(c.channels)] += static_cast<double>(gradient[i]);
    }
    std::vector<float> rounded, twice;
    for (const double value : expected) {
      rounded.push_back(static_cast<float>(value));
      twice.push_back(2 * rounded.back());
    }
    const gpu::Buffer<float> in(gradient);
    const GuardedBuffer<double> partial(std::int64_t{cuda::kBiasBlocks} * c.channels);
    const GuardedBuffer<float> out(c.channels);
    const Where here{"bias_gradient", {c.channels}, std::to_string(c.pixels) + " pixels"};
    cuda::bias_gradient(in.data(), partial.data(), out.data(), c.pixels, c.channels, false, nullptr);
    EXPECT_TRUE(equal(here, rounded, out.host()));
    cuda::bias_gradient(in.data(), partial.data(), out.data(), c.pixels, c.channels, true, nullptr);
    EXPECT_TRUE(equal(here, twice, out.host())) << "accumulated";
    EXPECT_TRUE(partial.intact() && out.intact());
  }
}

TEST_F(BiasGradient, RefusesChannelsThatDoNotDivideABlock) {
  EXPECT_THROW(cuda::bias_gradient(nullptr, nullptr, nullptr, 1, 5, false, nullptr), gpu::Error);
  EXPECT_THROW(cuda::bias_gradient(nullptr, nullptr, nullptr, 1, 0, false, nullptr), gpu::Error);
}

}  // namespace
}  // namespace lookalike::test
