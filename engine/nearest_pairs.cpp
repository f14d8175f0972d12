#include "engine/nearest_pairs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "engine/distance_filter.h"
#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

// Tiles of a block, at most. Between blocks of 4 memory gives 1.25 tiles for each two that are compared,
// between single tiles 2.
constexpr int64_t kMostTiles = 4;
// Pairs of blocks that a thread takes in a round, at least: so few wait so long for the last one.
constexpr int64_t kPairsAThread = 16;

class PairScan {
 public:
  PairScan(std::span<const float> codes, int64_t dimension, TopK& best, ThreadPool& pool)
      : codes_(codes), d_(dimension), rows_(std::ssize(codes) / dimension), best_(best) {
    filtered_ = d_ <= kFilterDimension;
    if (filtered_) lengths_ = squared_lengths(codes, d_, pool);
    block_ = kMostTiles * kTileRows;
    while (block_ > kTileRows && rows_ < 2 * kPairsAThread * pool.threads() * block_) block_ /= 2;
  }

  int64_t blocks() const { return (rows_ + block_ - 1) / block_; }

  // Every pair of a row of block a with one of block b, which is a or a later one. Touches the lists of both.
  void run(int64_t a, int64_t b) const {
    const RowRange left = piece(a, block_, rows_), right = piece(b, block_, rows_);
    for (int64_t q = left.begin; q < left.end; q += kTileRows) {
      for (int64_t r = a == b ? q : right.begin; r < right.end; r += kTileRows) {
        compare({q, std::min(left.end, q + kTileRows)}, {r, std::min(right.end, r + kTileRows)});
      }
    }
  }

 private:
  using Limits = std::array<double, kTileRows>;

  const float* row(int64_t r) const { return codes_.data() + r * d_; }
  double length(int64_t r) const { return lengths_[static_cast<std::size_t>(r)]; }

  Limits limits(RowRange rows) const {
    Limits limits{};
    for (int64_t r = rows.begin; r < rows.end; ++r)
      limits[static_cast<std::size_t>(r - rows.begin)] = best_.limit(r);
    return limits;
  }

  double longest(RowRange rows) const {
    return *std::max_element(lengths_.begin() + rows.begin, lengths_.begin() + rows.end);
  }

  // Two tiles, or one with itself: then each row with those behind it.
  void compare(RowRange left, RowRange right) const {
    std::array<float, std::size_t{kTileRows * kTileRows}> dots;
    Limits of_right = limits(right);
    const bool filter = filtered_ && some_finite(limits(left), left) && some_finite(of_right, right);
    double error = 0;
    if (filter) {
      cpu::dot_products(row(left.begin), left.size(), row(right.begin), right.size(), d_, dots.data());
      error = dot_error(d_, longest(left) + longest(right));
    }
    for (int64_t q = left.begin; q < left.end; ++q) {
      const int64_t first = std::max(right.begin, q + 1);
      std::array<int64_t, kTileRows> near;
      std::size_t found = 0;
      const double of_q = best_.limit(q);
      for (int64_t r = first; r < right.end; ++r) {
        near[found] = r;
        const auto j = static_cast<std::size_t>(r - right.begin);
        const bool out =
            filter &&
            surely_above(std::max(of_q, of_right[j]), length(q) + length(r),
                         dots[static_cast<std::size_t>((q - left.begin) * right.size()) + j], error);
        found += out ? 0 : 1;
      }
      for (const int64_t r : std::span(near).first(found)) measure(q, r);
      if (found > 0) of_right = limits(right);
    }
  }

  static bool some_finite(const Limits& limits, RowRange rows) {
    return std::any_of(limits.begin(), limits.begin() + rows.size(),
                       [](double limit) { return std::isfinite(limit); });
  }

  void measure(int64_t q, int64_t r) const {
    const double of_q = best_.limit(q), of_r = best_.limit(r);
    const double distance = cpu::squared_distance_within(row(q), row(r), d_, std::max(of_q, of_r));
    if (distance <= of_q) best_.insert(q, {distance, r});
    if (distance <= of_r) best_.insert(r, {distance, q});
  }

  std::span<const float> codes_;
  int64_t d_, rows_;
  TopK& best_;
  bool filtered_ = false;
  std::vector<double> lengths_;  // squared
  int64_t block_ = kTileRows;    // rows of a block
};

}  // namespace

void nearest_pairs_on_cpu(std::span<const float> codes, int64_t dimension, TopK& best, ThreadPool& pool,
                          const std::function<void(double share)>& watch) {
  if (best.queries() * dimension != std::ssize(codes)) {
    throw std::logic_error("nearest_pairs_on_cpu: the lists are not those of the rows");
  }
  if (best.k() == 0) return;
  const PairScan scan(codes, dimension, best, pool);
  const int64_t blocks = scan.blocks();
  // Rounds of a tournament: in each a block meets one other, so no two threads touch one list, and after
  // `last` rounds each has met all. Block `last` keeps its seat and the others move past it; where the number
  // of blocks is odd there is no such block, and whoever would meet it waits.
  const int64_t last = blocks + blocks % 2 - 1;
  const auto say = [&](double share) {
    if (watch) watch(share);
  };
  say(0);
  pool.for_each(blocks, [&](int64_t block, int) { scan.run(block, block); });
  for (int64_t round = 0; round < last; ++round) {
    say(static_cast<double>(round + 1) / static_cast<double>(last + 1));
    pool.for_each((last + 1) / 2, [&](int64_t i, int) {
      const int64_t a = (round + i) % last;
      const int64_t b = i == 0 ? last : (round + last - i) % last;
      if (a < blocks && b < blocks) scan.run(std::min(a, b), std::max(a, b));
    });
  }
  say(1);
}

}  // namespace lookalike
