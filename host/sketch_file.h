// CATALOG/sketch/sketches.bin: sketches of every code of a catalog, derived from the codes and made again
// when they change. Written block by block, read block by block: neither needs the memory of all.
//
// Little-endian. A header of 128 bytes: "LKSKETCH"; u32 version 2; u32 sections; u64 D; u64 rows; u64 numbers
// of a sketch (m + 1), 0 where none pays; u64 n, of one that is scanned; XXH3-128 (16 bytes each) of the
// catalog's codes (CatalogReader::codes_fingerprint) and of the section table; zeros; XXH3-128 of all before
// it. The section table, 64 bytes each: name (16, filled with zeros), u64 offset, u64 bytes, XXH3-128 of its
// contents (zeros where its parts carry their own), zeros. Then the sections without gaps; a reader passes
// over names that it does not know.
//   projection  float32 mean (D), directions (m, D)
//   scale       f64 step, float32 centre (n) of the scanned sketches (engine/sketch_bytes.h)
//   fine scale  float32 centre (m + 1), step (m + 1) of the fine ones (engine/sketch_fine.h)
//   blocks      for each 1,024 rows: f64 byte error, f64 fine error (engine/sketch_blocks.h), u64 rows, 24
//               bytes of zeros, XXH3-128 of the rest of the block; int32 halves (groups, 64), u8 bytes
//               (groups, stored / 4, 64, 4); groups = ceil(rows / 64), stored = n up to a multiple of 4.
//               Then, for each row, its fine sketch (m + 1) in int8 and the XXH3-64 of these bytes
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/sketch_blocks.h"
#include "engine/sketch_plan.h"
#include "host/atomic_file.h"
#include "host/catalog.h"
#include "host/files.h"

namespace lookalike {

std::string sketch_folder(const std::string& catalog);
std::string sketch_path(const std::string& catalog);

class SketchFileWriter {
 public:
  // plan: null where no sketch pays; then there are no blocks. fingerprint: of the codes.
  SketchFileWriter(const std::string& path, const SketchPlan* plan, int64_t dimension, int64_t rows,
                   const std::string& fingerprint);
  // Blocks in order.
  void add(const SketchBlockStorage& block);
  void commit();

 private:
  AtomicFile file_;
};

class SketchFile {
 public:
  // Throws E_DAMAGED for another version, and unless the file is whole in size and its header, table,
  // projection and scales hold their checksums, which guard against accidents, not against whoever writes it.
  explicit SketchFile(const std::string& path);

  // Null where no sketch pays; there are no blocks then.
  const SketchPlan* plan() const { return plan_.get(); }
  int64_t dimension() const { return dimension_; }
  int64_t rows() const { return rows_; }
  int64_t blocks() const;
  int64_t block_bytes() const;  // that `block` fills of scratch, for a whole block
  const std::string& fingerprint() const { return fingerprint_; }
  int64_t bytes() const { return file_.size; }

  // Reads and checks a block into `scratch`; valid until scratch changes. Throws E_DAMAGED. Any thread.
  SketchBlock block(int64_t index, std::vector<uint8_t>& scratch) const;

  // Reads and checks a row's fine sketch (m + 1) into `fine`. Throws E_DAMAGED. Any thread.
  void fine(int64_t row, std::span<int8_t> fine) const;

 private:
  std::string path_;
  RegularFile file_;
  int64_t dimension_ = 0, rows_ = 0, first_block_ = 0;  // of the latter: bytes
  std::string fingerprint_;
  std::unique_ptr<SketchPlan> plan_;
};

// The sketches of these codes. Null with the reason in `why` where they are missing, of other codes or
// damaged.
std::unique_ptr<SketchFile> open_sketches(const CatalogReader& catalog, std::string* why);

}  // namespace lookalike
