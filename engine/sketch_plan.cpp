#include "engine/sketch_plan.h"

#include <Eigen/Dense>
#include <algorithm>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace lookalike {
namespace {

// Orthonormal rows.
Eigen::MatrixXd random_rotation(int64_t size) {
  std::mt19937_64 generator(2);
  Eigen::MatrixXd random = Eigen::MatrixXd::Zero(size, size);
  // The sum of four uniform numbers is near enough to a normal one: all rotations about equally likely.
  for (double& value : random.reshaped()) {
    for (int i = 0; i < 4; ++i) value += static_cast<double>(generator() >> 11) * 0x1p-53 - 0.5;
  }
  return Eigen::HouseholderQR<Eigen::MatrixXd>(random).householderQ();
}

}  // namespace

SketchProjection with_even_variance(SketchProjection projection, int64_t count) {
  if (count < 0 || count > projection.components()) {
    throw std::invalid_argument("more directions than the projection has");
  }
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Rows> first(projection.directions.data(), count, projection.dimension);
  const Eigen::MatrixXd turned = random_rotation(count) * first.cast<double>();
  first = turned.cast<float>();
  return projection;
}

SketchPlan plan_sketches(SketchProjection projection, std::span<const float> sample, int64_t bytes,
                         ThreadPool& pool) {
  // The last byte is the length of the rest: a rotation would mix nothing into it.
  Sketcher sketcher(with_even_variance(std::move(projection), bytes - 1));
  const int64_t count = std::ssize(sample) / sketcher.projection().dimension;
  std::vector<float> sketches(static_cast<std::size_t>(count * sketcher.size()));
  std::vector<double> errors(static_cast<std::size_t>(count));
  sketcher.sketch_fast(sample, pool, sketches, errors);
  ByteSketcher byte_sketcher = fit_byte_sketcher(sketches, sketcher.size(), bytes);
  FineSketcher fine_sketcher = fit_fine_sketcher(sketches, sketcher.size());
  return {std::move(sketcher), std::move(byte_sketcher), std::move(fine_sketcher)};
}

}  // namespace lookalike
