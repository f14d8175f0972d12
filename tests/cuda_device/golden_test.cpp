// The golden runs of the CPU engine on the CUDA engine.
#include "tests/cuda/device_test.h"
#include "tests/cuda_device/device_under_test.h"
#include "tests/golden/golden_device.h"

namespace lookalike::test {
namespace {

class CudaGolden : public DeviceTest {};

TEST_F(CudaGolden, Codes) {
  const auto device = small_cuda_device();
  for (const char* name : kGoldenCases) {
    const GoldenCase golden = load_golden(name);
    device->set_parameters(load_parameters(golden, "weights"));
    const auto expected = read_npy<float>(golden_folder(name) / "activations" / "pool3.npy");
    std::vector<float> codes(expected.values.size(), NAN);
    device->encode(golden.images, codes);
    expect_close(golden, {"pool3", expected.shape, name}, "pool3", expected.values, codes);
  }
}

// Parts of one image, so that a batch is cut. At step 7 of `photos` two elements of a window of enc3
// are 2.1e-8 apart, less than float32 can tell at 0.25, and whichever wins is right. One of a channel's N x
// 19 x 19 windows then moves its share of a gradient that Adam scales to the rate.
TEST_F(CudaGolden, TenAdamSteps) {
  const auto device = small_cuda_device(2, 1);
  for (const char* name : kGoldenCases) {
    const GoldenCase golden = load_golden(name);
    const double tie = std::string(name) == "photos"
                           ? golden.adam.learning_rate / static_cast<double>(golden.count * 19 * 19)
                           : 0.0;
    expect_ten_adam_steps(*device, golden, tie);
  }
}

}  // namespace
}  // namespace lookalike::test
