#include "host/model_file.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "host/safetensors.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

class ModelFileTest : public ScratchTest {
 protected:
  static std::vector<float> numbers(float scale) {
    std::vector<float> values(kParameterCount);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * (static_cast<float>(i) - 2000.25F);
    return values;
  }

  static Model model() {
    Model model;
    model.parameters = numbers(0.001F);
    model.rule.fit = Fit::kCrop;
    model.epoch = 17;
    model.loss = 0.1 + 0.2;
    model.dataset = "0123456789abcdef0123456789abcdef";
    model.settings = {{"photos", "caf\xE9/\xFF"}, {"seed", "1"}, {"note", "hex:41"}};
    return model;
  }

  static TrainingState state() {
    TrainingState state;
    state.parameters = numbers(0.5F);
    state.optimizer.m = numbers(1e-12F);
    state.optimizer.v = numbers(1e-30F);
    state.optimizer.step = int64_t{1} << 40;
    state.epoch = 3;
    state.position = 96;
    state.epoch_loss_sum = 59.300000000000004;
    state.best_parameters = numbers(2);
    state.best_loss = 0x1.fffffffffffffp-2;
    state.best_epoch = 2;
    state.settings = {{"batch-size", "32"}, {"photos", "\xFFolder"}};
    return state;
  }

  // Writes the model, lets `change` spoil its tensors or metadata, and reads it.
  void expect_refused(const std::string& part, const std::function<void(TensorFile&)>& change) const {
    write_model(at("m.safetensors"), model());
    TensorFile file = read_tensor_file(at("m.safetensors"));
    change(file);
    write_tensor_file(at("m.safetensors"), file);
    expect_error(ExitCode::kDamaged, part, [&] { read_model(at("m.safetensors")); });
  }

  static void expect_equal(const std::vector<float>& a, const std::vector<float>& b) {
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
  }
};

TEST_F(ModelFileTest, ReadsWhatItWrote) {
  const Model written = model();
  write_model(at("model.safetensors"), written);
  for (const std::string& path : {at("model.safetensors"), folder_}) {
    const Model read = read_model(path);
    expect_equal(read.parameters, written.parameters);
    EXPECT_EQ(read.rule, written.rule);
    EXPECT_EQ(read.epoch, written.epoch);
    EXPECT_EQ(read.loss, written.loss);
    EXPECT_EQ(read.dataset, written.dataset);
    EXPECT_EQ(read.settings, written.settings);
    EXPECT_EQ(model_fingerprint(read), model_fingerprint(written));
  }
}

TEST_F(ModelFileTest, NamesAndShapesAreThoseOfKeras) {
  write_model(at("m"), model());
  const TensorFile file = read_tensor_file(at("m"));
  EXPECT_EQ(file.tensors.size(), 14U);
  EXPECT_EQ(file.tensors.at("enc1.kernel").shape, (std::vector<int64_t>{3, 3, 3, 16}));
  EXPECT_EQ(file.tensors.at("dec4.bias").shape, (std::vector<int64_t>{3}));
  EXPECT_EQ(file.tensors.at("enc1.bias").values[0], model().parameters[432]);
  EXPECT_EQ(file.metadata.at("layout"), "HWIO");
  EXPECT_EQ(file.metadata.at("channel_order"), "BGR");
  EXPECT_EQ(file.metadata.at("validation_loss"), "0.30000000000000004");
  EXPECT_EQ(file.metadata.at("setting.photos"), "hex:636166e92fff");
}

TEST_F(ModelFileTest, NamesWhatIsWrong) {
  const auto set = [](const char* key, const char* value) {
    return [=](TensorFile& file) { file.metadata[key] = value; };
  };
  expect_refused("format", set("format", "pt"));
  expect_refused("newer version", set("version", "2"));
  expect_refused("version 0", set("version", "0"));
  expect_refused("version", set("version", "1.0"));
  expect_refused("version", set("version", "-1"));
  expect_refused("architecture", set("architecture", "lookalike-224"));
  expect_refused("layout", set("layout", "OIHW"));
  expect_refused("channel_order is RGB, not BGR", set("channel_order", "RGB"));
  expect_refused("input_scale", set("input_scale", "1"));
  expect_refused("loss", set("loss", "mse"));
  expect_refused(at("m.safetensors"), set("photo_rule", "pad"));
  for (const char* number : {"", " 1", "1 ", "+1", "0x1", "1e3", "-1", "99999999999999999999", "nan"}) {
    expect_refused("epoch", set("epoch", number));
  }
  for (const char* number : {"", " 1", "1 ", "+1", "0x1", "1,5", "nan", "inf", "-inf", "1e400"}) {
    expect_refused("validation_loss", set("validation_loss", number));
  }
  for (const char* key : {"format", "version", "architecture", "layout", "channel_order", "input_scale",
                          "photo_rule", "loss", "epoch", "validation_loss", "dataset"}) {
    expect_refused(key, [=](TensorFile& file) { file.metadata.erase(key); });
  }
  expect_refused("tensor dec2.bias", [](TensorFile& file) { file.tensors.erase("dec2.bias"); });
  expect_refused("tensor ../x", [](TensorFile& file) { file.tensors["../x"] = {{1}, {1}}; });
  expect_refused("tensor enc1.kernel has the shape (27, 16), not (3, 3, 3, 16)", [](TensorFile& file) {
    file.tensors["enc1.kernel"].shape = {27, 16};
  });
  expect_error(ExitCode::kUsage, "no model at", [&] { read_model(at("none")); });
  expect_error(ExitCode::kUsage, "no model at", [&] { read_model(folder_); });
}

TEST_F(ModelFileTest, AcceptsNoCutAndNoFlip) {
  write_model(at("whole"), model());
  const std::string whole = get("whole");
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  int accepted = 0;
  const auto attempt = [&](const std::string& bytes) {
    try {
      read_model(put("m", bytes));
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kDamaged) << error.what();
    }
  };
  for (std::size_t size = 0; size < whole.size(); ++size) attempt(whole.substr(0, size));
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += bit < (header + 8) * 8 ? 1 : 13) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    attempt(flipped);
  }
  EXPECT_EQ(accepted, 0);
}

TEST_F(ModelFileTest, TakesAModelFromElsewhereWithoutChecksum) {
  write_model(at("m"), model());
  std::string bytes = get("m");
  const std::string digits = read_tensor_file(at("m")).metadata.at("checksum");
  const std::string entry = "\"checksum\":\"" + digits + "\",";
  ASSERT_NE(bytes.find(entry), std::string::npos);
  bytes.replace(bytes.find(entry), entry.size(), entry.size(), ' ');
  EXPECT_EQ(read_model(put("m", bytes)).epoch, 17);
  bytes.replace(bytes.find("\"setting.note\""), 14, "\"sXtting.note\"");
  expect_error(ExitCode::kDamaged, "sXtting.note", [&] { read_model(put("m", bytes)); });
}

TEST_F(ModelFileTest, StoresNothingThatIsNotFinite) {
  Model bad = model();
  bad.parameters[4962] = NAN;
  expect_error(ExitCode::kNonFinite, "dec4.bias", [&] { write_model(at("m"), bad); });
  bad = model();
  bad.loss = INFINITY;
  expect_error(ExitCode::kNonFinite, "validation loss", [&] { write_model(at("m"), bad); });
  TrainingState state = ModelFileTest::state();
  state.optimizer.v[0] = NAN;
  expect_error(ExitCode::kNonFinite, "adam_v/enc1.kernel", [&] { write_training_state(at("m"), state); });
  state = ModelFileTest::state();
  state.epoch_loss_sum = NAN;
  expect_error(ExitCode::kNonFinite, "loss", [&] { write_training_state(at("m"), state); });
  EXPECT_TRUE(tree(folder_).empty());
  bad.parameters.pop_back();
  EXPECT_THROW(write_model(at("m"), bad), std::invalid_argument);
}

TEST_F(ModelFileTest, FingerprintTellsModelsApart) {
  Model other = model();
  other.loss = 9;
  other.settings.clear();
  EXPECT_EQ(model_fingerprint(other), model_fingerprint(model()));
  other.rule.fit = Fit::kPad;
  EXPECT_NE(model_fingerprint(other), model_fingerprint(model()));
  other = model();
  other.parameters[100] = std::nextafter(other.parameters[100], 1.0F);
  EXPECT_NE(model_fingerprint(other), model_fingerprint(model()));
}

TEST_F(ModelFileTest, ReadsTheTrainingStateItWrote) {
  const TrainingState written = state();
  write_training_state(at("t"), written);
  const TrainingState read = read_training_state(at("t"));
  expect_equal(read.parameters, written.parameters);
  expect_equal(read.optimizer.m, written.optimizer.m);
  expect_equal(read.optimizer.v, written.optimizer.v);
  expect_equal(read.best_parameters, written.best_parameters);
  EXPECT_EQ(read.optimizer.step, written.optimizer.step);
  EXPECT_EQ(read.epoch, written.epoch);
  EXPECT_EQ(read.position, written.position);
  EXPECT_EQ(read.epoch_loss_sum, written.epoch_loss_sum);
  EXPECT_EQ(read.best_loss, written.best_loss);
  EXPECT_EQ(read.best_epoch, written.best_epoch);
  EXPECT_EQ(read.settings, written.settings);
}

TEST_F(ModelFileTest, ReadsATrainingStateWithNoBestYet) {
  TrainingState written = state();
  written.best_epoch = 0;
  written.best_parameters.clear();
  written.best_loss = INFINITY;
  write_training_state(at("t"), written);
  const TrainingState read = read_training_state(at("t"));
  EXPECT_EQ(read.best_epoch, 0);
  EXPECT_TRUE(read.best_parameters.empty());
}

TEST_F(ModelFileTest, RefusesADamagedTrainingState) {
  write_training_state(at("t"), state());
  const std::string whole = get("t");
  for (std::size_t byte = 0; byte < whole.size(); byte += byte < 4000 ? 1 : 997) {
    std::string flipped = whole;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 0x04);
    expect_error(ExitCode::kDamaged, at("t"), [&] { read_training_state(put("t", flipped)); });
  }
  put("t", whole);
  expect_error(ExitCode::kDamaged, "format", [&] { read_model(at("t")); });
  TensorFile file = read_tensor_file(at("t"));
  file.metadata["version"] = "3";
  write_tensor_file(at("t"), file);
  expect_error(ExitCode::kDamaged, "newer version", [&] { read_training_state(at("t")); });
  file.metadata["version"] = "1";
  file.tensors.erase("best/dec4.bias");
  write_tensor_file(at("t"), file);
  expect_error(ExitCode::kDamaged, "best/dec4.bias", [&] { read_training_state(at("t")); });
  write_model(at("m"), model());
  expect_error(ExitCode::kDamaged, "format", [&] { read_training_state(at("m")); });
}

}  // namespace
}  // namespace lookalike
