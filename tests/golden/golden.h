// The Keras float64 runs beside this file, as tools/make_golden.py writes them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/cpu/adam.h"
#include "kernels/topology.h"
#include "tests/support/compare.h"
#include "tests/support/npy.h"

namespace lookalike::test {

struct GoldenCase {
  std::string name;
  nlohmann::json facts;         // case.json
  std::vector<uint8_t> images;  // (N, 150, 150, 3)
  int64_t count = 0;            // N
  AdamOptions adam;
};

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(LOOKALIKE_TEST_DATA) / "golden" / name;
}

inline GoldenCase load_golden(const std::string& name) {
  GoldenCase golden;
  golden.name = name;
  std::ifstream file(golden_folder(name) / "case.json");
  golden.facts = nlohmann::json::parse(file);
  auto images = read_npy<uint8_t>(golden_folder(name) / "images.npy");
  golden.count = images.shape.at(0);
  if (images.shape != std::vector<int64_t>{golden.count, kImageSize, kImageSize, kImageChannels})
    throw std::runtime_error(name + ": images.npy has another shape");
  golden.images = std::move(images.values);
  const auto& adam = golden.facts.at("adam");
  golden.adam = {adam.at("learning_rate"), adam.at("beta_1"), adam.at("beta_2"), adam.at("epsilon")};
  return golden;
}

// One of the fourteen tensors of the flat parameter array.
struct ParameterTensor {
  std::string name;  // "enc1.kernel"
  int offset;
  std::vector<int64_t> shape;
  int64_t size() const {
    int64_t size = 1;
    for (const int64_t extent : shape) size *= extent;
    return size;
  }
};

inline std::vector<ParameterTensor> parameter_tensors() {
  std::vector<ParameterTensor> tensors;
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    tensors.push_back({std::string(stage.name) + ".kernel",
                       kernel_offset(s),
                       {3, 3, stage.in_channels, stage.out_channels}});
    tensors.push_back({std::string(stage.name) + ".bias", bias_offset(s), {stage.out_channels}});
  }
  return tensors;
}

inline std::vector<float> load_tensor(const GoldenCase& golden, const std::string& folder,
                                      const ParameterTensor& tensor) {
  auto array = read_npy<float>(golden_folder(golden.name) / folder / (tensor.name + ".npy"));
  if (array.shape != tensor.shape)
    throw std::runtime_error(golden.name + "/" + folder + "/" + tensor.name + ": another shape");
  return std::move(array.values);
}

// A folder's fourteen tensors as one flat array.
inline std::vector<float> load_parameters(const GoldenCase& golden, const std::string& folder) {
  std::vector<float> flat;
  for (const ParameterTensor& tensor : parameter_tensors()) {
    const auto values = load_tensor(golden, folder, tensor);
    flat.insert(flat.end(), values.begin(), values.end());
  }
  return flat;
}

template <class Values>
double largest(const Values& values) {
  double result = 0.0;
  for (const auto value : values) result = std::max(result, std::abs(static_cast<double>(value)));
  return result;
}

// Ten times what Keras's own float32 run strays from its float64 run, at least 1e-7, and in any case a
// thousandth of the tensor's largest value. `key` as in case.json: "pool1", "gradient enc1.kernel".
template <class Values>
double allowed_error(const GoldenCase& golden, const std::string& key, const Values& expected) {
  const double keras = golden.facts.at("keras_float32_max_abs_error").at(key);
  return std::min(std::max(10.0 * keras, 1e-7), 1e-3 * largest(expected));
}

// The case `flat` is a black and a white image with an output near a half: they pull opposite ways and the
// gradients of these tensors are what cancellation leaves. Keras's own float32 run misses them by up to a
// fifth; Adam then divides each by its own size, so rounding decides where they go.
inline bool nearly_vanishes(const GoldenCase& golden, const ParameterTensor& tensor) {
  return golden.name == "flat" && (tensor.name.starts_with("dec3.") || tensor.name.starts_with("dec4."));
}

}  // namespace lookalike::test
