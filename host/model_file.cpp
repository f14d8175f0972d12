#include "host/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/files.h"
#include "host/fingerprint.h"
#include "host/safetensors.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

constexpr int64_t kVersion = 1;
constexpr std::string_view kModelFormat = "lookalike-model";
constexpr std::string_view kTrainingFormat = "lookalike-training";
constexpr std::string_view kArchitecture = "lookalike-150";
constexpr std::string_view kSettingPrefix = "setting.";

using Metadata = std::map<std::string, std::string>;

Error damaged(const std::string& path, const std::string& what) {
  return damaged_error(path + ": " + what + ", copy the file again from where it was made");
}

// 17 digits give every double back to the bit.
std::string double_text(double value, const std::string& path, const std::string& name) {
  if (!std::isfinite(value))
    throw non_finite_error(fmt::format("{} is {}, {} is not written", name, value, path));
  return fmt::format("{:.17g}", value);
}

// Metadata of one file, where every key must be asked for: one that nobody knows may be a known one with a
// flipped bit, its value lost without a word.
class MetadataReader {
 public:
  MetadataReader(const std::string& path, const Metadata& metadata) : path_(path), metadata_(metadata) {}

  bool has(std::string_view key) const { return metadata_.contains(std::string(key)); }

  std::string text(std::string_view key) {
    const auto found = metadata_.find(std::string(key));
    if (found == metadata_.end()) throw damaged(path_, fmt::format("it lacks the metadata {}", key));
    known_.insert(found->first);
    return found->second;
  }

  void expect(std::string_view key, std::string_view value) {
    if (const std::string found = text(key); found != value) {
      throw damaged(path_, fmt::format("its {} is {}, not {}", key, found, value));
    }
  }

  int64_t count(std::string_view key) {
    const auto value = number<int64_t>(key);
    if (value < 0) throw damaged(path_, fmt::format("its {} is negative", key));
    return value;
  }

  double real(std::string_view key) {
    const auto value = number<double>(key);
    if (!std::isfinite(value)) throw damaged(path_, fmt::format("its {} is not finite", key));
    return value;
  }

  // `format` in a version that this program reads.
  void expect_format(std::string_view format) {
    expect("format", format);
    const int64_t version = count("version");
    if (version > kVersion) {
      throw damaged_error(
          fmt::format("{} was made by a newer version of lookalike (format {}, this one reads {}), "
                      "use that version",
                      path_, version, kVersion));
    }
    if (version != kVersion)
      throw damaged(path_, fmt::format("there is no version {} of its format", version));
  }

  Metadata settings() {
    Metadata settings;
    for (const auto& [key, value] : metadata_) {
      if (!key.starts_with(kSettingPrefix)) continue;
      known_.insert(key);
      settings[key.substr(kSettingPrefix.size())] = text_to_bytes(value);
    }
    return settings;
  }

  void expect_no_more() const {
    for (const auto& [key, value] : metadata_) {
      if (!known_.contains(key)) throw damaged(path_, "it has the unknown metadata " + key);
    }
  }

 private:
  template <typename Number>
  Number number(std::string_view key) {
    const std::string digits = text(key);
    Number value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      throw damaged(path_, fmt::format("its {} is no number: {}", key, digits));
    }
    return value;
  }

  const std::string& path_;
  const Metadata& metadata_;
  std::set<std::string> known_;
};

void put_settings(Metadata& metadata, const Metadata& settings) {
  for (const auto& [name, value] : settings) {
    metadata[std::string(kSettingPrefix) + name] = bytes_to_text(value);
  }
}

// Calls visit(name, shape, offset in the flat array, number of values) for the network's 14 tensors.
template <typename Visit>
void for_each_tensor(const Visit& visit) {
  for (int s = 0; s < kStageCount; ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    const std::string name(stage.name);
    visit(name + ".kernel", std::vector<int64_t>{3, 3, stage.in_channels, stage.out_channels},
          kernel_offset(s), stage.kernel_count());
    visit(name + ".bias", std::vector<int64_t>{stage.out_channels}, bias_offset(s), stage.out_channels);
  }
}

void put_parameters(TensorFile& file, const std::string& prefix, std::span<const float> flat) {
  if (flat.size() != kParameterCount) {
    throw std::invalid_argument(
        fmt::format("{}{} numbers instead of {}", prefix, flat.size(), kParameterCount));
  }
  for_each_tensor([&](const std::string& name, const std::vector<int64_t>& shape, int offset, int count) {
    const auto values = flat.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(count));
    file.tensors[prefix + name] = {shape, {values.begin(), values.end()}};
  });
}

// Takes the tensors out of `file`.
std::vector<float> take_parameters(const std::string& path, TensorFile& file, const std::string& prefix) {
  std::vector<float> flat(kParameterCount);
  for_each_tensor([&](const std::string& name, const std::vector<int64_t>& shape, int offset, int) {
    const auto found = file.tensors.find(prefix + name);
    if (found == file.tensors.end()) throw damaged(path, "it lacks the tensor " + prefix + name);
    if (found->second.shape != shape) {
      throw damaged(path, fmt::format("tensor {} has the shape ({}), not ({})", found->first,
                                      fmt::join(found->second.shape, ", "), fmt::join(shape, ", ")));
    }
    std::copy(found->second.values.begin(), found->second.values.end(), flat.begin() + offset);
    file.tensors.erase(found);
  });
  return flat;
}

void expect_no_more_tensors(const std::string& path, const TensorFile& file) {
  if (!file.tensors.empty()) throw damaged(path, "it has the unknown tensor " + file.tensors.begin()->first);
}

}  // namespace

Model read_model(const std::string& path) {
  const std::string file_path = is_folder(path) ? path + "/model.safetensors" : path;
  if (!exists(file_path)) throw usage_error("there is no model at " + file_path + ", name one made by train");
  TensorFile file = read_tensor_file(file_path);
  MetadataReader metadata(file_path, file.metadata);
  metadata.expect_format(kModelFormat);
  metadata.expect("architecture", kArchitecture);
  metadata.expect("layout", "HWIO");
  metadata.expect("channel_order", "BGR");
  metadata.expect("input_scale", "1/255");
  metadata.expect("loss", "binary_crossentropy");

  Model model;
  try {
    model.rule = parse_photo_rule(metadata.text("photo_rule"));
  } catch (const Error& error) {
    throw damaged(file_path, error.what());
  }
  model.epoch = metadata.count("epoch");
  model.loss = metadata.real("validation_loss");
  model.dataset = text_to_bytes(metadata.text("dataset"));
  model.settings = metadata.settings();
  // A model from elsewhere may have no checksum; what its metadata says must then all be understood.
  if (!metadata.has("checksum")) metadata.expect_no_more();
  model.parameters = take_parameters(file_path, file, "");
  expect_no_more_tensors(file_path, file);
  return model;
}

void write_model(const std::string& path, const Model& model) {
  TensorFile file;
  put_parameters(file, "", model.parameters);
  file.metadata = {{"format", std::string(kModelFormat)},
                   {"version", std::to_string(kVersion)},
                   {"architecture", std::string(kArchitecture)},
                   {"layout", "HWIO"},
                   {"channel_order", "BGR"},
                   {"input_scale", "1/255"},
                   {"loss", "binary_crossentropy"},
                   {"photo_rule", to_string(model.rule)},
                   {"epoch", std::to_string(model.epoch)},
                   {"validation_loss", double_text(model.loss, path, "validation loss")},
                   {"dataset", bytes_to_text(model.dataset)}};
  put_settings(file.metadata, model.settings);
  write_tensor_file(path, file);
}

std::string model_fingerprint(const Model& model) {
  Fingerprint hash;
  hash.add_raw(std::as_bytes(std::span(model.parameters)));
  hash.add(to_string(model.rule));
  return hash.hex();
}

TrainingState read_training_state(const std::string& path) {
  TensorFile file = read_tensor_file(path);
  MetadataReader metadata(path, file.metadata);
  metadata.expect_format(kTrainingFormat);
  metadata.expect("architecture", kArchitecture);
  metadata.text("checksum");

  TrainingState state;
  state.optimizer.step = metadata.count("step");
  state.epoch = metadata.count("epoch");
  state.position = metadata.count("position");
  state.epoch_loss_sum = metadata.real("epoch_loss_sum");
  state.best_epoch = metadata.count("best_epoch");
  state.settings = metadata.settings();
  state.parameters = take_parameters(path, file, "parameters/");
  state.optimizer.m = take_parameters(path, file, "adam_m/");
  state.optimizer.v = take_parameters(path, file, "adam_v/");
  if (state.best_epoch > 0) {
    state.best_loss = metadata.real("best_loss");
    state.best_parameters = take_parameters(path, file, "best/");
  }
  metadata.expect_no_more();
  expect_no_more_tensors(path, file);
  return state;
}

void write_training_state(const std::string& path, const TrainingState& state) {
  TensorFile file;
  put_parameters(file, "parameters/", state.parameters);
  put_parameters(file, "adam_m/", state.optimizer.m);
  put_parameters(file, "adam_v/", state.optimizer.v);
  file.metadata = {{"format", std::string(kTrainingFormat)},
                   {"version", std::to_string(kVersion)},
                   {"architecture", std::string(kArchitecture)},
                   {"step", std::to_string(state.optimizer.step)},
                   {"epoch", std::to_string(state.epoch)},
                   {"position", std::to_string(state.position)},
                   {"epoch_loss_sum", double_text(state.epoch_loss_sum, path, "the epoch's loss")},
                   {"best_epoch", std::to_string(state.best_epoch)}};
  if (state.best_epoch > 0) {
    put_parameters(file, "best/", state.best_parameters);
    file.metadata["best_loss"] = double_text(state.best_loss, path, "the best loss");
  }
  put_settings(file.metadata, state.settings);
  write_tensor_file(path, file);
}

}  // namespace lookalike
