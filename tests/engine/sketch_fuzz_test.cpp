// tests/engine/sketch_fuzz.h over inputs from a fixed seed; built with clang and -fsanitize=fuzzer,
// tests/fuzz/sketch_search_fuzz.cpp looks for others.
#include "tests/engine/sketch_fuzz.h"

#include <gtest/gtest.h>

#include <random>

namespace lookalike {
namespace {

TEST(SketchSearchFuzz, FindsWhatBruteForceFinds) {
  ASSERT_TRUE(test::sketch_search_is_exact({})) << "no bytes";
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<uint8_t> input(random() % 2000);
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(random() & 255);
    ASSERT_TRUE(test::sketch_search_is_exact(input)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lookalike
