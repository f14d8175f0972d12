// What the kernels run on.
#pragma once

#include <string>

namespace lookalike::cpu {

// The processor's own name ("AMD EPYC 7543 32-Core Processor"), or "unknown processor".
std::string processor_name();

// The instruction set that the kernels use ("AVX2").
std::string instruction_set();

}  // namespace lookalike::cpu
