// CATALOG/sketch/sketches.bin: sketches of every code of a catalog, derived from the codes and made again
// when they change. Written block by block, read block by block: neither needs the memory of all.
//
// Little-endian. A header of 128 bytes: "LKSKETCH"; u32 version 1; u32 sections; u64 D; u64 rows; u64 numbers
// of a sketch (m + 1), 0 where none pays; XXH3-128 (16 bytes each) of the catalog's codes
// (CatalogReader::codes_fingerprint) and of the section table; zeros; XXH3-128 of all before it. The section
// table, 64 bytes each: name (16, filled with zeros), u64 offset, u64 bytes, XXH3-128 of its contents
// (zeros where its parts carry their own), zeros. Then the sections without gaps; a reader passes over names
// that it does not know.
//   projection  float32 mean (D), directions (m, D)
//   float32     for each 1,024 rows: f64 error, f64 longest (engine/sketch_blocks.h), u64 rows, 24 bytes
//               of zeros, XXH3-128 of the rest of the block; float32 halves (groups, 64), values (groups,
//               m + 1, 64); groups = ceil(rows / 64)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/sketch_blocks.h"
#include "host/atomic_file.h"
#include "host/catalog.h"
#include "host/files.h"

namespace lookalike {

std::string sketch_folder(const std::string& catalog);
std::string sketch_path(const std::string& catalog);

class SketchFileWriter {
 public:
  // sketcher: null where no sketch pays; then there are no blocks. fingerprint: of the codes.
  SketchFileWriter(const std::string& path, const Sketcher* sketcher, int64_t dimension, int64_t rows,
                   const std::string& fingerprint);
  // Blocks in order.
  void add(const SketchBlockStorage& block);
  void commit();

 private:
  AtomicFile file_;
};

class SketchFile {
 public:
  // Throws E_DAMAGED for another version, and unless the file is whole in size and its header, table and
  // projection hold their checksums.
  explicit SketchFile(const std::string& path);

  const Sketcher* sketcher() const { return sketcher_.get(); }  // null where no sketch pays
  int64_t dimension() const { return dimension_; }
  int64_t rows() const { return rows_; }
  int64_t blocks() const;
  int64_t block_floats() const;  // of a whole block
  const std::string& fingerprint() const { return fingerprint_; }
  int64_t bytes() const { return file_.size; }

  // Reads and checks a block into `scratch`; valid until scratch changes. Throws E_DAMAGED. Any thread.
  SketchBlock block(int64_t index, std::vector<float>& scratch) const;

 private:
  std::string path_;
  RegularFile file_;
  int64_t dimension_ = 0, rows_ = 0, first_block_ = 0;  // of the latter: bytes
  std::string fingerprint_;
  std::unique_ptr<Sketcher> sketcher_;
};

// The sketches of these codes. Null with the reason in `why` where they are missing, of other codes or
// damaged.
std::unique_ptr<SketchFile> open_sketches(const CatalogReader& catalog, std::string* why);

}  // namespace lookalike
