// Sketches of a catalog as a search reads them: short 8-bit ones, all of which are scanned, in blocks; then a
// few of the fine ones; then fewer codes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/sketch.h"
#include "engine/sketch_bytes.h"
#include "engine/sketch_fine.h"

namespace lookalike {

// Rows with error bounds of their own: a row that is far out of the ordinary spoils the bounds of no others.
inline constexpr int64_t kSketchBlockRows = 1024;

// Block i of a catalog: rows i * 1024 on. Rows lie in groups of 64 (kernels/cpu/sketch_scan.h); the last
// group is filled up with rows that score lowest.
struct SketchBlock {
  int64_t rows = 0;                 // of the catalog, at most 1024
  std::span<const uint8_t> bytes;   // (groups, stored / 4, 64, 4): 128 + byte
  std::span<const int32_t> halves;  // (groups, 64): -floor(|bytes|^2 / 2)
  double byte_error = 0;            // largest |centre + step bytes - clip(t(exact sketch))| of its rows
  double fine_error = 0;            // largest |step bytes - f(exact sketch)|, of fine sketches
};

struct SketchBlockStorage {
  int64_t rows = 0;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> halves;
  std::vector<int8_t> fine;  // (rows, size)
  double byte_error = 0, fine_error = 0;

  SketchBlock view() const { return {rows, bytes, halves, byte_error, fine_error}; }
};

// codes (rows, D) of a block -> sketches (rows, size) and errors (rows), overwritten, as Sketcher gives them:
// in float, but in double where the error is out of the ordinary, as one such row would spoil the bounds of
// all. The same bytes for any number of threads on one instruction set.
void sketch_block(const Sketcher& sketcher, std::span<const float> codes, ThreadPool& pool,
                  std::span<float> sketches, std::span<double> errors);

// sketches (rows, size), errors (rows) as sketch_block gives them; rows <= 1024.
SketchBlockStorage pack_sketches(std::span<const float> sketches, std::span<const double> errors,
                                 const ByteSketcher& byte_sketcher, const FineSketcher& fine_sketcher);

// The functions are called by several threads at once.
struct SketchedCatalog {
  const Sketcher* sketcher = nullptr;
  const ByteSketcher* byte_sketcher = nullptr;
  const FineSketcher* fine_sketcher = nullptr;
  int64_t rows = 0;
  // Valid until the next call with the same scratch.
  std::function<SketchBlock(int64_t block, std::vector<uint8_t>& scratch)> block;
  // The fine sketch (size), or the code (D), of a row: scratch, filled, or where it lies anyway.
  std::function<const int8_t*(int64_t row, std::span<int8_t> scratch)> fine;
  std::function<const float*(int64_t row, std::span<float> scratch)> code;

  int64_t blocks() const { return (rows + kSketchBlockRows - 1) / kSketchBlockRows; }
};

}  // namespace lookalike
