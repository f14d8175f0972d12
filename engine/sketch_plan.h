// What sketches of a catalog are made with, learnt from a sample of its codes.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sketch.h"
#include "engine/sketch_bytes.h"
#include "engine/sketch_fine.h"
#include "engine/thread_pool.h"

namespace lookalike {

struct SketchPlan {
  Sketcher sketcher;
  ByteSketcher byte_sketcher;
  FineSketcher fine_sketcher;
};

// projection: as fit_projection gives it for sample (S, D), finite, S >= 1; a few thousand rows from all over
// the catalog serve. bytes: of a sketch that is scanned, from 1 to the numbers of a fine one. A row's
// sketches then take components + 1 + bytes + 4 bytes. The same for any number of threads on one instruction
// set.
SketchPlan plan_sketches(SketchProjection projection, std::span<const float> sample, int64_t bytes,
                         ThreadPool& pool);

// The first `count` directions turned among themselves at random: they span what they did, and share the
// variance about equally, so that one step of 8-bit numbers suits them all.
SketchProjection with_even_variance(SketchProjection projection, int64_t count);

}  // namespace lookalike
