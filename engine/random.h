// Counter-based random numbers (Philox 4x32-10): every value is a function of (seed, stream, index), so
// shuffles and initial weights are the same on every processor and can be taken up anywhere.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lookalike {

// Streams keep uses apart.
enum class Stream : uint32_t { kWeights = 1, kShuffle = 2 };

// Four 32-bit words for counter `index` of `stream` (with `sub`: the epoch or the tensor).
std::array<uint32_t, 4> philox(uint64_t seed, Stream stream, uint32_t sub, uint64_t index);

// A permutation of 0 .. count - 1 for an epoch (Fisher-Yates, unbiased draws).
std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch);

// (kParameterCount): Glorot-uniform kernels, zero biases.
std::vector<float> initial_parameters(uint64_t seed);

}  // namespace lookalike
