// For libFuzzer: cmake -DLOOKALIKE_FUZZ=ON with clang, then build/tests/fuzz_sketch_search.
#include <cstdint>
#include <cstdlib>

#include "tests/engine/sketch_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (!lookalike::test::sketch_search_is_exact({data, size})) std::abort();
  return 0;
}
