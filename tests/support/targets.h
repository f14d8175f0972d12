// The instruction sets that the kernels are compiled for, one test run each.
#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike::test {

inline std::vector<int64_t> compiled_targets() {
  std::vector<int64_t> targets;
  for (int64_t bits = HWY_TARGETS; bits != 0; bits &= bits - 1) targets.push_back(bits & -bits);
  return targets;
}

// Those that this processor has, the best first.
inline std::vector<int64_t> supported_targets() {
  std::vector<int64_t> targets;
  for (const int64_t target : compiled_targets())
    if ((hwy::SupportedTargets() & target) != 0) targets.push_back(target);
  return targets;
}

// While it lives the kernels run on one instruction set.
class UseTarget {
 public:
  explicit UseTarget(int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~UseTarget() { hwy::SetSupportedTargetsForTest(0); }
  UseTarget(const UseTarget&) = delete;
  UseTarget& operator=(const UseTarget&) = delete;
};

// A test for each compiled instruction set; those that this processor lacks are reported as skipped.
class TargetTest : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    if ((hwy::SupportedTargets() & GetParam()) == 0)
      GTEST_SKIP() << "this processor has no " << hwy::TargetName(GetParam());
    hwy::SetSupportedTargetsForTest(GetParam());
  }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

inline std::string target_name(const ::testing::TestParamInfo<int64_t>& info) {
  return hwy::TargetName(info.param);
}

}  // namespace lookalike::test

#define LOOKALIKE_FOR_EACH_TARGET(suite)                                                               \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, ::testing::ValuesIn(::lookalike::test::compiled_targets()), \
                           ::lookalike::test::target_name)
