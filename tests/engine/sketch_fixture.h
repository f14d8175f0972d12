// Catalogs in memory with their sketches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/sketch_blocks.h"

namespace lookalike::test {

class MemoryCatalog {
 public:
  MemoryCatalog(std::vector<float> codes, SketchProjection projection)
      : codes_(std::move(codes)), sketcher_(std::move(projection)) {
    const int64_t d = sketcher_.projection().dimension;
    const int64_t rows = std::ssize(codes_) / d;
    ThreadPool pool(1);
    for (int64_t first = 0; first < rows; first += kSketchBlockRows) {
      const int64_t count = std::min(kSketchBlockRows, rows - first);
      std::vector<float> sketches(static_cast<std::size_t>(count * sketcher_.size()));
      std::vector<double> errors(static_cast<std::size_t>(count));
      sketcher_.sketch(
          std::span(codes_).subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(count * d)),
          pool, sketches, errors);
      blocks_.push_back(pack_sketches(sketches, errors));
    }
  }

  SketchedCatalog view() const {
    SketchedCatalog catalog;
    catalog.sketcher = &sketcher_;
    catalog.rows = std::ssize(codes_) / sketcher_.projection().dimension;
    catalog.block = [this](int64_t block, std::vector<float>&) {
      return blocks_[static_cast<std::size_t>(block)].view();
    };
    catalog.code = [this](int64_t row, std::span<float>) {
      return codes_.data() + row * sketcher_.projection().dimension;
    };
    return catalog;
  }

  const std::vector<float>& codes() const { return codes_; }
  std::vector<float>& codes() { return codes_; }

 private:
  std::vector<float> codes_;
  Sketcher sketcher_;
  std::vector<SketchBlockStorage> blocks_;
};

}  // namespace lookalike::test
