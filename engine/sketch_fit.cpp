#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "engine/sketch.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {
namespace {

using Eigen::MatrixXd;

// Each iteration multiplies the weight of a direction against a weaker one by the ratio of their variances.
constexpr int kIterations = 3;
// Directions carried beside those asked for: the last ones converge slowest.
constexpr int64_t kMore = 16;
constexpr int64_t kRowsAtOnce = 24;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

struct Rows {
  int64_t count = 0, columns = 0;
  std::vector<float> values;  // (count, columns)
};

Rows transposed(const Rows& in) {
  constexpr int64_t kTile = 32;
  Rows out{in.columns, in.count, std::vector<float>(in.values.size())};
  for (int64_t r0 = 0; r0 < in.count; r0 += kTile) {
    for (int64_t c0 = 0; c0 < in.columns; c0 += kTile) {
      for (int64_t r = r0; r < std::min(in.count, r0 + kTile); ++r) {
        for (int64_t c = c0; c < std::min(in.columns, c0 + kTile); ++c) {
          out.values[as_size(c * in.count + r)] = in.values[as_size(r * in.columns + c)];
        }
      }
    }
  }
  return out;
}

// (a.count, b.count): every row of a with every row of b.
Rows dots(const Rows& a, const Rows& b, ThreadPool& pool) {
  Rows out{a.count, b.count, std::vector<float>(as_size(a.count * b.count))};
  pool.for_each((a.count + kRowsAtOnce - 1) / kRowsAtOnce, [&](int64_t i, int) {
    const int64_t first = i * kRowsAtOnce;
    cpu::dot_products(a.values.data() + first * a.columns, std::min(kRowsAtOnce, a.count - first),
                      b.values.data(), b.count, a.columns, out.values.data() + first * b.count);
  });
  return out;
}

// Rows (l, D) as the columns of a matrix (D, l).
MatrixXd columns_of(const Rows& rows) {
  return Eigen::Map<const Eigen::MatrixXf>(rows.values.data(), rows.columns, rows.count).cast<double>();
}

Rows rows_of(const MatrixXd& columns) {
  Rows rows{columns.cols(), columns.rows(), std::vector<float>(as_size(columns.size()))};
  Eigen::Map<Eigen::MatrixXf>(rows.values.data(), columns.rows(), columns.cols()) = columns.cast<float>();
  return rows;
}

// Orthonormal columns that span what `columns` does, and more where their rank is less.
MatrixXd orthonormal(const MatrixXd& columns) {
  const Eigen::HouseholderQR<MatrixXd> qr(columns);
  return qr.householderQ() * MatrixXd::Identity(columns.rows(), columns.cols());
}

std::vector<float> mean_of(std::span<const float> sample, int64_t count, int64_t dimension) {
  std::vector<double> sum(as_size(dimension));
  for (std::size_t i = 0; i < sample.size(); ++i) {
    sum[i % sum.size()] += static_cast<double>(sample[i]) / static_cast<double>(count);
  }
  return {sum.begin(), sum.end()};
}

// Centred, the largest number 1: no product of floats is then lost below or above their range.
Rows centred(std::span<const float> sample, const std::vector<float>& mean) {
  const auto difference = [&](std::size_t i) {
    return static_cast<double>(sample[i]) - static_cast<double>(mean[i % mean.size()]);
  };
  double largest = 0;
  for (std::size_t i = 0; i < sample.size(); ++i) largest = std::max(largest, std::abs(difference(i)));
  const double scale = largest > 0 ? 1 / largest : 1;
  Rows rows{static_cast<int64_t>(sample.size() / mean.size()), std::ssize(mean), {}};
  rows.values.resize(sample.size());
  for (std::size_t i = 0; i < sample.size(); ++i) rows.values[i] = static_cast<float>(difference(i) * scale);
  return rows;
}

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
  const Rows rows = centred(sample, projection.mean);
  const Rows columns = transposed(rows);

  const int64_t carried = std::min(dimension, components + kMore);
  std::mt19937_64 generator(1);
  Rows start{carried, dimension, std::vector<float>(as_size(carried * dimension))};
  for (float& value : start.values) {
    value = static_cast<float>(static_cast<double>(generator() >> 11) * 0x1p-53 - 0.5);
  }
  MatrixXd basis = orthonormal(columns_of(start));
  for (int i = 0; i < kIterations; ++i) {
    step();
    const Rows along = dots(rows_of(basis), rows, pool);  // (carried, S)
    basis = orthonormal(columns_of(dots(along, columns, pool)));
  }
  // The principal directions within the subspace, the largest variance first.
  const MatrixXd along = columns_of(dots(rows_of(basis), rows, pool));  // (S, carried)
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(along.transpose() * along);
  const MatrixXd turned = basis * solver.eigenvectors().rowwise().reverse().leftCols(components);
  projection.directions = rows_of(turned).values;
  return projection;
}

}  // namespace lookalike
