// Sketches of a catalog as the scan reads them, and where a search finds them and the codes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/sketch.h"

namespace lookalike {

// Rows with error bounds of their own: a row that is far out of the ordinary spoils the bounds of no others.
inline constexpr int64_t kSketchBlockRows = 1024;

// Block i of a catalog: rows i * 1024 on. Rows lie in groups of 64 (kernels/cpu/sketch_scan.h); the last
// group is filled up with rows of half -infinity, which no finite threshold lets through.
struct SketchBlock {
  int64_t rows = 0;               // of the catalog, at most 1024
  std::span<const float> values;  // (groups, size, 64)
  std::span<const float> halves;  // (groups, 64): -|sketch|^2 / 2
  double error = 0;               // largest |stored - exact| of its rows
  double longest = 0;             // largest |stored sketch|, rounded up
};

struct SketchBlockStorage {
  int64_t rows = 0;
  std::vector<float> values, halves;
  double error = 0, longest = 0;

  SketchBlock view() const { return {rows, values, halves, error, longest}; }
};

// sketches (rows, size), errors (rows) as Sketcher gives them; rows <= 1024.
SketchBlockStorage pack_sketches(std::span<const float> sketches, std::span<const double> errors);

// Both functions are called by several threads at once.
struct SketchedCatalog {
  const Sketcher* sketcher = nullptr;
  int64_t rows = 0;
  // Valid until the next call with the same scratch.
  std::function<SketchBlock(int64_t block, std::vector<float>& scratch)> block;
  // The code (D) of a row: scratch (D), filled, or where it lies anyway.
  std::function<const float*(int64_t row, std::span<float> scratch)> code;

  int64_t blocks() const { return (rows + kSketchBlockRows - 1) / kSketchBlockRows; }
};

}  // namespace lookalike
