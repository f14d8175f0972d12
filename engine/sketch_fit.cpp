#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/sketch.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

using Eigen::MatrixXd;
using Eigen::MatrixXf;

// Each iteration multiplies the weight of a direction against a weaker one by the ratio of their variances.
constexpr int kIterations = 3;
// Directions carried beside those asked for: the last ones converge slowest.
constexpr int64_t kMore = 16;
// Rows, or columns, of the sample that are multiplied at a time: 24 rows of 2,888 numbers stay in the
// second-level cache while the directions pass.
constexpr int64_t kAtOnce = 24;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

struct Rows {
  int64_t count = 0, columns = 0;
  std::vector<float> values;  // (count, columns)
};

// Columns of a matrix (D, l) as rows (l, D).
Rows rows_of(const MatrixXf& columns) {
  return {columns.cols(), columns.rows(), {columns.data(), columns.data() + columns.size()}};
}

MatrixXf random_columns(int64_t length, int64_t count) {
  std::mt19937_64 generator(1);
  MatrixXf columns(length, count);
  for (float& value : columns.reshaped()) {
    value = static_cast<float>(static_cast<double>(generator() >> 11) * 0x1p-53 - 0.5);
  }
  return columns;
}

// Columns that span what `columns` does, and more where their rank is less, orthonormal as far as float goes:
// what is left is measured when sketches are made, and is some millionths.
MatrixXf orthonormal(MatrixXf columns) {
  const Eigen::HouseholderQR<Eigen::Ref<MatrixXf>> qr(columns);
  return qr.householderQ() * MatrixXf::Identity(columns.rows(), columns.cols());
}

std::vector<float> mean_of(std::span<const float> sample, int64_t count, int64_t dimension) {
  std::vector<double> sum(as_size(dimension));
  for (int64_t r = 0; r < count; ++r) {
    const auto row = sample.subspan(as_size(r * dimension), as_size(dimension));
    for (std::size_t c = 0; c < row.size(); ++c) {
      sum[c] += static_cast<double>(row[c]) / static_cast<double>(count);
    }
  }
  return {sum.begin(), sum.end()};
}

// A sample X (S, D), centred, the largest number 1: no product of floats is then lost below or above their
// range. It is centred again for each product, a tile at a time: a copy would take as much as the sample.
class Centred {
 public:
  Centred(std::span<const float> sample, const std::vector<float>& mean)
      : sample_(sample), mean_(mean), rows_(std::ssize(sample) / std::ssize(mean)) {
    double largest = 0;
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < columns(); ++c) largest = std::max(largest, std::abs(difference(r, c)));
    }
    scale_ = largest > 0 ? 1 / largest : 1;
  }

  // directions (l, D) -> their products with every row of X (l, S).
  Rows times(const Rows& directions, ThreadPool& pool) const {
    Rows out{directions.count, rows_, std::vector<float>(as_size(directions.count * rows_))};
    for_each_tile(rows_, columns(), directions, pool, [&](int64_t first, int64_t some, Tile& tile) {
      for (int64_t r = 0; r < some; ++r) {
        for (int64_t c = 0; c < columns(); ++c) tile.values[as_size(r * columns() + c)] = at(first + r, c);
      }
      tile.multiply(some, directions);
      for (int64_t j = 0; j < out.count; ++j) {
        for (int64_t r = 0; r < some; ++r) out.values[as_size(j * rows_ + first + r)] = tile.product(r, j);
      }
    });
    return out;
  }

  // along (l, S) -> X^T times it, transposed (D, l), in `out`.
  void transposed_times(const Rows& along, ThreadPool& pool, MatrixXf& out) const {
    for_each_tile(columns(), rows_, along, pool, [&](int64_t first, int64_t some, Tile& tile) {
      for (int64_t r = 0; r < rows_; ++r) {
        for (int64_t c = 0; c < some; ++c) tile.values[as_size(c * rows_ + r)] = at(r, first + c);
      }
      tile.multiply(some, along);
      for (int64_t j = 0; j < along.count; ++j) {
        for (int64_t c = 0; c < some; ++c) out(first + c, j) = tile.product(c, j);
      }
    });
  }

 private:
  // Some rows of X or of X^T, and their products with all rows of another matrix.
  struct Tile {
    std::vector<float> values;    // (kAtOnce, as long as the others)
    std::vector<float> products;  // (kAtOnce, others)
    int64_t others = 0;

    void multiply(int64_t some, const Rows& by) {
      cpu::dot_products(values.data(), some, by.values.data(), by.count, by.columns, products.data());
    }
    float product(int64_t row, int64_t other) const { return products[as_size(row * others + other)]; }
  };

  // work(first, number, the thread's own tile) for `count` rows of `length` numbers.
  template <typename Work>
  static void for_each_tile(int64_t count, int64_t length, const Rows& by, ThreadPool& pool,
                            const Work& work) {
    const Tile empty{std::vector<float>(as_size(kAtOnce * length)),
                     std::vector<float>(as_size(kAtOnce * by.count)), by.count};
    std::vector<Tile> tiles(as_size(pool.threads()), empty);
    pool.for_each((count + kAtOnce - 1) / kAtOnce, [&](int64_t i, int thread) {
      work(i * kAtOnce, std::min(kAtOnce, count - i * kAtOnce), tiles[static_cast<std::size_t>(thread)]);
    });
  }

  int64_t columns() const { return std::ssize(mean_); }
  double difference(int64_t row, int64_t column) const {
    return static_cast<double>(sample_[as_size(row * columns() + column)]) -
           static_cast<double>(mean_[as_size(column)]);
  }
  float at(int64_t row, int64_t column) const { return static_cast<float>(difference(row, column) * scale_); }

  std::span<const float> sample_;
  const std::vector<float>& mean_;
  int64_t rows_;
  double scale_ = 1;
};

}  // namespace

SketchProjection fit_projection(std::span<const float> sample, int64_t dimension, int64_t components,
                                ThreadPool& pool, const std::function<void()>& step) {
  const int64_t count = dimension > 0 ? std::ssize(sample) / dimension : 0;
  if (count < 1 || count * dimension != std::ssize(sample) || components < 1 || components > dimension) {
    throw std::invalid_argument("a projection needs a sample (S, D) and at most D components");
  }
  SketchProjection projection;
  projection.dimension = dimension;
  projection.mean = mean_of(sample, count, dimension);
  const Centred centred(sample, projection.mean);

  const int64_t carried = std::min(dimension, components + kMore);
  MatrixXf basis = orthonormal(random_columns(dimension, carried));
  for (int i = 0; i < kIterations; ++i) {
    step();
    const Rows along = centred.times(rows_of(basis), pool);
    centred.transposed_times(along, pool, basis);
    basis = orthonormal(std::move(basis));
  }
  // The principal directions within the subspace, the largest variance first.
  MatrixXd variance;
  {
    const Rows along = centred.times(rows_of(basis), pool);
    const MatrixXd of_rows = Eigen::Map<const MatrixXf>(along.values.data(), count, carried).cast<double>();
    variance.noalias() = of_rows.transpose() * of_rows;
  }
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(variance);
  const MatrixXf turn = solver.eigenvectors().rowwise().reverse().leftCols(components).cast<float>();
  const MatrixXf turned = basis * turn;
  projection.directions = rows_of(turned).values;
  return projection;
}

}  // namespace lookalike
