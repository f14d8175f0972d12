// Catalogs in memory with their sketches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/sketch_blocks.h"

namespace lookalike::test {

class MemoryCatalog {
 public:
  // in_double: all rows are sketched so, not only those out of the ordinary.
  MemoryCatalog(std::vector<float> codes, SketchProjection projection, int64_t bytes = 128,
                bool in_double = false)
      : codes_(std::move(codes)),
        sketcher_(std::move(projection)),
        byte_sketcher_({0}, 1),
        fine_sketcher_({0}, {1}) {
    const int64_t d = sketcher_.projection().dimension;
    const int64_t rows = std::ssize(codes_) / d;
    ThreadPool pool(1);
    sketches_.resize(static_cast<std::size_t>(rows * sketcher_.size()));
    errors_.resize(static_cast<std::size_t>(rows));
    for (int64_t first = 0; first < rows; first += kSketchBlockRows) {
      const int64_t count = std::min(kSketchBlockRows, rows - first), size = sketcher_.size();
      const auto part = [&](auto& all, int64_t of_row) {
        return std::span(all).subspan(static_cast<std::size_t>(first * of_row),
                                      static_cast<std::size_t>(count * of_row));
      };
      if (in_double) {
        sketcher_.sketch(part(codes_, d), pool, part(sketches_, size), part(errors_, 1));
      } else {
        sketch_block(sketcher_, part(codes_, d), pool, part(sketches_, size), part(errors_, 1));
      }
    }
    const std::vector<float> origin(static_cast<std::size_t>(sketcher_.size()));
    byte_sketcher_ = fit_byte_sketcher(rows > 0 ? sketches_ : origin, sketcher_.size(), bytes);
    fine_sketcher_ = fit_fine_sketcher(rows > 0 ? sketches_ : origin, sketcher_.size());
    pack();
  }

  // Other 8-bit sketches of the same codes.
  void use(const ByteSketcher& byte_sketcher) {
    byte_sketcher_ = byte_sketcher;
    pack();
  }
  void use(const FineSketcher& fine_sketcher) {
    fine_sketcher_ = fine_sketcher;
    pack();
  }

  SketchedCatalog view() const {
    SketchedCatalog catalog;
    catalog.sketcher = &sketcher_;
    catalog.byte_sketcher = &byte_sketcher_;
    catalog.fine_sketcher = &fine_sketcher_;
    catalog.rows = std::ssize(codes_) / sketcher_.projection().dimension;
    catalog.block = [this](int64_t block, std::vector<uint8_t>&) {
      return blocks_[static_cast<std::size_t>(block)].view();
    };
    catalog.fine = [this](int64_t row, std::span<int8_t>) {
      const SketchBlockStorage& block = blocks_[static_cast<std::size_t>(row / kSketchBlockRows)];
      return block.fine.data() + row % kSketchBlockRows * sketcher_.size();
    };
    catalog.code = [this](int64_t row, std::span<float>) {
      return codes_.data() + row * sketcher_.projection().dimension;
    };
    return catalog;
  }

  const std::vector<float>& codes() const { return codes_; }
  std::vector<float>& codes() { return codes_; }

 private:
  void pack() {
    blocks_.clear();
    const int64_t size = sketcher_.size(), rows = std::ssize(errors_);
    for (int64_t first = 0; first < rows; first += kSketchBlockRows) {
      const int64_t count = std::min(kSketchBlockRows, rows - first);
      blocks_.push_back(pack_sketches(
          std::span(sketches_).subspan(static_cast<std::size_t>(first * size),
                                       static_cast<std::size_t>(count * size)),
          std::span(errors_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
          byte_sketcher_, fine_sketcher_));
    }
  }

  std::vector<float> codes_;
  Sketcher sketcher_;
  ByteSketcher byte_sketcher_;
  FineSketcher fine_sketcher_;
  std::vector<float> sketches_;
  std::vector<double> errors_;
  std::vector<SketchBlockStorage> blocks_;
};

}  // namespace lookalike::test
