// Sketches of a catalog as a search reads them: 8-bit ones, all of which are scanned, in blocks; then a few
// of the sketches in float; then fewer codes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/sketch.h"
#include "engine/sketch_bytes.h"

namespace lookalike {

// Rows with error bounds of their own: a row that is far out of the ordinary spoils the bounds of no others.
inline constexpr int64_t kSketchBlockRows = 1024;

// Block i of a catalog: rows i * 1024 on. Rows lie in groups of 64 (kernels/cpu/sketch_scan.h); the last
// group is filled up with rows that score lowest.
struct SketchBlock {
  int64_t rows = 0;                 // of the catalog, at most 1024
  std::span<const uint8_t> bytes;   // (groups, stored / 4, 64, 4): 128 + byte
  std::span<const int32_t> halves;  // (groups, 64): -floor(|bytes|^2 / 2)
  double error = 0;                 // largest |stored - exact sketch| of its rows
  double byte_error = 0;            // largest |centre + step bytes - clip(t(exact sketch))|
};

struct SketchBlockStorage {
  int64_t rows = 0;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> halves;
  double error = 0, byte_error = 0;

  SketchBlock view() const { return {rows, bytes, halves, error, byte_error}; }
};

// sketches (rows, size), errors (rows) as Sketcher gives them; rows <= 1024.
SketchBlockStorage pack_sketches(std::span<const float> sketches, std::span<const double> errors,
                                 const ByteSketcher& byte_sketcher);

// The functions are called by several threads at once.
struct SketchedCatalog {
  const Sketcher* sketcher = nullptr;
  const ByteSketcher* byte_sketcher = nullptr;
  int64_t rows = 0;
  // Valid until the next call with the same scratch.
  std::function<SketchBlock(int64_t block, std::vector<uint8_t>& scratch)> block;
  // The sketch (size), or the code (D), of a row: scratch, filled, or where it lies anyway.
  std::function<const float*(int64_t row, std::span<float> scratch)> sketch, code;

  int64_t blocks() const { return (rows + kSketchBlockRows - 1) / kSketchBlockRows; }
};

}  // namespace lookalike
