#include "engine/distance_filter.h"

#include "kernels/cpu/distance.h"
#include "kernels/cpu/dot_products.h"

namespace lookalike {

std::vector<double> squared_lengths(std::span<const float> vectors, int64_t dimension, ThreadPool& pool) {
  const std::vector<float> origin(static_cast<std::size_t>(dimension), 0.0F);
  const int64_t count = std::ssize(vectors) / dimension;
  std::vector<double> lengths(static_cast<std::size_t>(count));
  constexpr int64_t kSome = 64;
  pool.for_each((count + kSome - 1) / kSome, [&](int64_t i, int) {
    const RowRange some = piece(i, kSome, count);
    for (int64_t v = some.begin; v < some.end; ++v) {
      lengths[static_cast<std::size_t>(v)] =
          cpu::squared_distance(vectors.data() + v * dimension, origin.data(), dimension);
    }
  });
  return lengths;
}

double dot_error(int64_t dimension, double lengths) {
  // |q||r| <= (|q|^2 + |r|^2) / 2
  return cpu::dot_product_error(dimension, lengths / 2 * (1 + kDoubleError));
}

}  // namespace lookalike
