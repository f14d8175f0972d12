// Batches of activations for tests of kernels/cuda: (N, H, W, C) floats and the reference's view of them.
#pragma once

#include <string>
#include <vector>

#include "kernels/cuda/activation_shape.h"
#include "tests/reference/tensor.h"
#include "tests/support/compare.h"
#include "tests/support/inputs.h"

namespace lookalike::test {

using cuda::ActivationShape;

inline Where where(const std::string& operation, const ActivationShape& shape, const std::string& inputs) {
  return {operation, {shape.images, shape.height, shape.width, shape.channels}, inputs};
}

// One pixel, sizes that no block divides, more than a block of threads, all channel counts of the network.
inline std::vector<ActivationShape> even_shapes() {
  return {{1, 2, 2, 4}, {2, 2, 6, 8}, {1, 14, 10, 12}, {3, 6, 8, 16}, {2, 38, 38, 8}, {0, 4, 4, 8}};
}

// Whole numbers -4 .. 4: sums are exact, ties and zeros frequent.
inline std::vector<float> whole_numbers(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.below(9) - 4);
  return values;
}

// Image n of a batch.
template <class T>
reference::Tensor image_of(const std::vector<T>& batch, const ActivationShape& shape, std::int64_t n) {
  reference::Tensor tensor(shape.height, shape.width, shape.channels);
  const std::size_t size = tensor.values.size();
  for (std::size_t i = 0; i < size; ++i)
    tensor.values[i] = static_cast<double>(batch[static_cast<std::size_t>(n) * size + i]);
  return tensor;
}

template <class T>
void append(std::vector<T>& batch, const std::vector<double>& values) {
  for (const double value : values) batch.push_back(static_cast<T>(value));
}

}  // namespace lookalike::test
