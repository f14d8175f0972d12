// How many bytes a scanned sketch should have: more let fewer rows through to the fine sketches and cost more
// to scan. Judged by trying.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sketch.h"

namespace lookalike {

// From 16 to all numbers of a sketch: sizes 16, 32, 64, ... are tried with rows of sample
// (S, D) as queries against the sample, and the one is taken that makes the search for 10 neighbours in a
// catalog of `rows` rows cheapest by the model. 0 where measuring every row is as cheap. Every choice is
// correct.
int64_t choose_sketch_bytes(const Sketcher& sketcher, std::span<const float> sample, int64_t rows,
                            ThreadPool& pool);

}  // namespace lookalike
