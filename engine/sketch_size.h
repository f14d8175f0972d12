// How many numbers a sketch should have: more let fewer rows through to the full measuring and cost more to
// scan. Judged by trying.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sketch.h"

namespace lookalike {

// Components, at most those of `projection`, that make the search for 10 neighbours in a catalog of `rows`
// rows cheapest by the model: sizes 16, 32, 64, ... are tried with rows of sample (S, D) as queries against
// the sample. 0 where measuring every row is as cheap. Every choice is correct.
int64_t choose_components(const SketchProjection& projection, std::span<const float> sample, int64_t rows,
                          ThreadPool& pool);

}  // namespace lookalike
