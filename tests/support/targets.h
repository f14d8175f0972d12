// Runs a test once for each instruction set that the kernels are compiled for. Those that this processor
// lacks are reported as skipped.
#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike::testing {

inline std::vector<int64_t> compiled_targets() {
  std::vector<int64_t> targets;
  for (int64_t bits = HWY_TARGETS; bits != 0; bits &= bits - 1) targets.push_back(bits & -bits);
  return targets;
}

inline std::string target_name(const ::testing::TestParamInfo<int64_t>& info) {
  return hwy::TargetName(info.param);
}

class TargetTest : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    if ((hwy::SupportedTargets() & GetParam()) == 0)
      GTEST_SKIP() << "this processor has no " << hwy::TargetName(GetParam());
    hwy::SetSupportedTargetsForTest(GetParam());
  }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

}  // namespace lookalike::testing

#define LOOKALIKE_FOR_EACH_TARGET(suite)                                                                  \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, ::testing::ValuesIn(::lookalike::testing::compiled_targets()), \
                           ::lookalike::testing::target_name)
