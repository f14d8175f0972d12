// What a model's folder keeps and refuses. Whole runs, kills and signals: tests/cli/test_train.py.
#include "host/train_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/random.h"
#include "host/train_folder.h"
#include "host/train_settings.h"

namespace lookalike {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string file_text(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

template <typename Call>
void expect_error(ExitCode code, const std::string& text, const Call& call) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(ValidationShare, IsANumberOrPhotos) {
  EXPECT_EQ(validation_share("0"), 0);
  EXPECT_EQ(validation_share("0.25"), 0.25);
  EXPECT_EQ(validation_share("validation"), -1);
  EXPECT_EQ(validation_share("0.1.csv"), -1);
  EXPECT_EQ(validation_share("./0.5"), -1);
  for (const char* bad : {"", "1", "1.5", "-0.1", "nan", "inf", "1e999"}) {
    expect_error(ExitCode::kUsage, "--validation", [&] { validation_share(bad); });
  }
}

TEST(Settings, EachOneThatShapesTheResultIsCompared) {
  PhotoList list;
  list.items = {{.id = "a.jpg", .path = "x/a.jpg", .label = "", .columns = {}}};
  const TrainPhotos photos = {list, list};
  const Settings settings =
      train_settings({}, photos, {.name = "", .kind = "cpu", .instruction_set = "AVX2"});
  EXPECT_NO_THROW(require_same_training("model", settings, settings));
  for (const auto& [key, value] : settings) {
    Settings other = settings;
    other[key] = "another";
    if (key == "instruction_set" || key == "version") {
      EXPECT_NO_THROW(require_same_training("model", settings, other)) << key;
      continue;
    }
    expect_error(ExitCode::kUsage, " '" + value + "', not 'another'",
                 [&] { require_same_training("model", settings, other); });
    other.erase(key);
    expect_error(ExitCode::kUsage, " no value, not '" + value + "'",
                 [&] { require_same_training("model", other, settings); });
    expect_error(ExitCode::kUsage, " '" + value + "', not no value",
                 [&] { require_same_training("model", settings, other); });
  }
}

TEST(Settings, ContentsAreComparedOnceTheyAreKnown) {
  const Settings stored = {{"seed", "1"}, {"contents", "abc"}, {"refused", "3"}};
  EXPECT_NO_THROW(require_same_training("model", stored, {{"seed", "1"}}));
  EXPECT_NO_THROW(
      require_same_training("model", stored, {{"seed", "1"}, {"contents", "abc"}, {"refused", "4"}}));
  expect_error(ExitCode::kUsage, "model was made with the photos' contents 'abc', not 'xyz', give the same",
               [&] {
                 require_same_training("model", stored, {{"seed", "1"}, {"contents", "xyz"}});
               });
}

TEST(Settings, PhotosAreKnownByIdAndPathWhereverTheyLie) {
  PhotoList here, there, others;
  here.root = "here";
  there.root = "/there";
  here.items = {{.id = "a.jpg", .path = "here/a.jpg", .label = "", .columns = {}}};
  there.items = {{.id = "a.jpg", .path = "/there/a.jpg", .label = "", .columns = {}}};
  others.items = {{.id = "a", .path = "", .label = "", .columns = {}},
                  {.id = "b", .path = "", .label = "", .columns = {}}};
  EXPECT_EQ(train_settings({}, {here, {}}, {}), train_settings({}, {there, {}}, {}));
  EXPECT_NE(train_settings({}, {here, {}}, {}), train_settings({}, {others, {}}, {}));
}

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(path_);
    device_->set_parameters(initial_parameters(1));
    position_.epoch = 2;
    position_.position = 8;
    position_.epoch_loss_sum = 4.75;
    position_.best_parameters = initial_parameters(2);
    position_.best_loss = 0.1 + 0.2;
    position_.best_epoch = 1;
  }

  std::string path_ = testing::TempDir() + "train_folder_test." + std::to_string(getpid());
  std::unique_ptr<Device> device_ = make_cpu_device(1);
  TrainPosition position_;
  Settings settings_ = {{"seed", "1"}, {"contents", "0123"}};
  TrainOptions options_;
};

TEST_F(FolderTest, TheStateComesBackWhole) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  EXPECT_FALSE(folder.stored(options_, settings_).has_value());
  folder.write_state(*device_, position_, settings_);
  const auto state = folder.stored(options_, settings_);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->parameters, initial_parameters(1));
  EXPECT_EQ(state->epoch, 2);
  EXPECT_EQ(state->position, 8);
  EXPECT_EQ(state->epoch_loss_sum, 4.75);
  EXPECT_EQ(state->best_parameters, position_.best_parameters);
  EXPECT_EQ(state->best_loss, position_.best_loss);
  EXPECT_EQ(state->best_epoch, 1);
  EXPECT_EQ(state->settings, settings_);
}

TEST_F(FolderTest, AStateBeforeTheFirstEpochsEndHasNoBest) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  TrainPosition early;
  early.position = 16;
  folder.write_state(*device_, early, settings_);
  folder.write_best(early, settings_);
  EXPECT_FALSE(fs::exists(folder.model_path()));
  const auto state = folder.stored(options_, settings_);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->best_epoch, 0);
  EXPECT_EQ(state->position, 16);
}

TEST_F(FolderTest, ImpossibleCountsAreDamage) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  const auto refused = [&](TrainPosition position) {
    folder.write_state(*device_, position, settings_);
    expect_error(ExitCode::kDamaged, "--force starts over", [&] { folder.stored(options_, settings_); });
  };
  TrainPosition position = position_;
  position.epoch = options_.epochs + 1;
  refused(position);
  position = position_;
  position.epoch = options_.epochs;  // with images of an epoch that does not exist
  refused(position);
  position = position_;
  position.best_epoch = 3;
  refused(position);
}

TEST_F(FolderTest, OtherSettingsComeBeforeTheirConsequences) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  position_.epoch = 30;
  folder.write_state(*device_, position_, {{"epochs", "40"}});
  expect_error(ExitCode::kUsage, "--epochs '40', not '20'", [&] {
    folder.stored(options_, {{"epochs", "20"}});
  });
}

TEST_F(FolderTest, StartingOverLeavesNothingToMistake) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  folder.write_state(*device_, position_, settings_);
  folder.write_best(position_, settings_);
  folder.start_over();
  EXPECT_FALSE(fs::exists(folder.model_path()));
  EXPECT_FALSE(folder.stored(options_, settings_));
  folder.start_over();
}

TEST_F(FolderTest, AModelWithoutItsStateIsNotOverwritten) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  folder.write_best(position_, settings_);
  expect_error(ExitCode::kUsage, "--force", [&] { folder.stored(options_, settings_); });
}

TEST_F(FolderTest, TheBestModelIsMadeAgainWhereItIsBehind) {
  const TrainFolder folder(path_, {.fit = Fit::kCrop, .background = {1, 2, 3}});
  folder.prepare();
  folder.write_best(position_, settings_);
  const std::string right = file_text(folder.model_path());
  const Model model = read_model(folder.model_path());
  EXPECT_EQ(model.parameters, position_.best_parameters);
  EXPECT_EQ(model.epoch, 1);
  EXPECT_EQ(model.loss, position_.best_loss);
  EXPECT_EQ(model.dataset, "0123");
  EXPECT_EQ(model.rule, (PhotoRule{.fit = Fit::kCrop, .background = {1, 2, 3}}));

  const auto before = fs::last_write_time(folder.model_path());
  folder.write_best(position_, settings_);
  EXPECT_EQ(fs::last_write_time(folder.model_path()), before) << "written though nothing had changed";

  TrainPosition earlier = position_;
  earlier.best_parameters = initial_parameters(3);
  folder.write_best(earlier, settings_);
  EXPECT_NE(file_text(folder.model_path()), right);
  folder.write_best(position_, settings_);
  EXPECT_EQ(file_text(folder.model_path()), right);
  std::ofstream(folder.model_path()) << "torn";
  folder.write_best(position_, settings_);
  EXPECT_EQ(file_text(folder.model_path()), right);
}

TEST_F(FolderTest, PreviewsOfLaterEpochsAreDropped) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  for (const int64_t epoch : {1, 2, 3, 12345}) folder.write_preview(epoch, {1, 2, 3});
  std::ofstream(path_ + "/previews/epoch_mine.png") << "a user's";
  folder.write_preview(2, {4, 5});
  EXPECT_TRUE(fs::exists(path_ + "/previews/epoch_0001.png"));
  EXPECT_EQ(file_text(path_ + "/previews/epoch_0002.png"), "\x04\x05");
  EXPECT_FALSE(fs::exists(path_ + "/previews/epoch_0003.png"));
  EXPECT_FALSE(fs::exists(path_ + "/previews/epoch_12345.png"));
  EXPECT_TRUE(fs::exists(path_ + "/previews/epoch_mine.png"));
}

TEST_F(FolderTest, RefusalsAreListedWhileThereAreAny) {
  const TrainFolder folder(path_, {});
  folder.prepare();
  folder.write_refusals({{"a", "p/a", "cut short"}, {"say \"b\"", "p,b", "not\nan image"}});
  EXPECT_EQ(file_text(folder.refusals_path()),
            "id,path,reason\na,p/a,cut short\n\"say \"\"b\"\"\",\"p,b\",\"not\nan image\"\n");
  folder.write_refusals({});
  EXPECT_FALSE(fs::exists(folder.refusals_path()));
}

TEST(RunTraining, TakesItsOptionsWithoutACommandLine) {
  const std::string root = testing::TempDir() + "run_training_test." + std::to_string(getpid());
  fs::remove_all(root);
  fs::create_directories(root + "/photos");
  for (int i = 0; i < 5; ++i) {
    cv::imwrite(root + "/photos/" + std::to_string(i) + ".png",
                cv::Mat(30, 20 + i, CV_8UC3, cv::Scalar(9, 40 * i, 200)));
  }
  TrainCommandOptions options;
  options.photos = root + "/photos";
  options.model = root + "/model";
  options.training.epochs = 2;
  options.validation = "0.2";
  options.talk.quiet = true;
  EXPECT_EQ(run_training(options), 0);
  const Model model = read_model(options.model);
  EXPECT_EQ(model.settings.at("epochs"), "2");
  EXPECT_EQ(model.settings.at("background"), "#ffffff");
  EXPECT_EQ(model.dataset, model.settings.at("contents"));
  EXPECT_GT(model.loss, 0);
  options.training.patience = 1;
  expect_error(ExitCode::kUsage, "--patience '0', not '1'", [&] { run_training(options); });
  options.model = root + "/photos/model";
  expect_error(ExitCode::kUsage, "outside", [&] { run_training(options); });
}

}  // namespace
}  // namespace lookalike
