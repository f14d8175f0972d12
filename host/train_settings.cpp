#include "host/train_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "engine/error.h"

namespace lookalike {
namespace {

// In the order in which they are compared.
constexpr SettingName kNames[] = {{"epochs", "--epochs"},
                                  {"batch_size", "--batch-size"},
                                  {"learning_rate", "--learning-rate"},
                                  {"seed", "--seed"},
                                  {"validation", "--validation"},
                                  {"patience", "--patience"},
                                  {"fit", "--fit"},
                                  {"background", "--background"},
                                  {"limits", "the limits of a photo"},
                                  {"device", "--device"},
                                  {"photos", "the list of photos"},
                                  {"validation_photos", "the list of validation photos"},
                                  {"contents", "the photos' contents"},
                                  {"validation_contents", "the validation photos' contents"}};

}  // namespace

void require_apart(const TrainCommandOptions& options) {
  namespace fs = std::filesystem;
  const auto model = fs::weakly_canonical(options.model);
  for (const std::string& source : {options.photos, options.validation}) {
    if (!fs::is_directory(source)) continue;
    const auto photos = fs::weakly_canonical(source);
    const auto [end, rest] = std::mismatch(photos.begin(), photos.end(), model.begin(), model.end());
    if (end != photos.end()) continue;
    throw usage_error(
        fmt::format("{} lies in {}, where its previews would be taken for photos, choose a folder "
                    "outside",
                    options.model, source));
  }
}

double validation_share(const std::string& text) {
  double share = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, share);
  if (text.empty()) throw usage_error("--validation is empty, take a share from 0 to below 1, or photos");
  if (stop != end || error == std::errc::invalid_argument) return -1;
  if (error != std::errc() || !(share >= 0 && share < 1)) {
    throw usage_error("--validation is " + text + ", take a share from 0 to below 1, or photos (./" + text +
                      " if that is a folder)");
  }
  return share;
}

TrainPhotos list_train_photos(const TrainCommandOptions& options) {
  const double share = validation_share(options.validation);
  if (options.photos == "-" && options.validation == "-") {
    throw usage_error("PHOTOS and --validation cannot both be read from standard input, name one of them");
  }
  PhotoList photos = list_photos(options.photos);
  if (share < 0) {
    return {std::move(photos), list_photos(options.validation)};
  }
  if (share == 0) return {std::move(photos), {}};
  Split split = split_photos(photos, share, options.training.seed);
  return {std::move(split.training), std::move(split.validation)};
}

Settings train_settings(const TrainCommandOptions& options, const TrainPhotos& photos,
                        const DeviceFacts& device) {
  const double share = validation_share(options.validation);
  const auto& [blue, green, red] = options.rule.background;
  return {{"epochs", std::to_string(options.training.epochs)},
          {"batch_size", std::to_string(options.training.batch_size)},
          {"learning_rate", fmt::format("{}", options.training.learning_rate)},
          {"seed", std::to_string(options.training.seed)},
          {"validation", share < 0 ? "photos" : fmt::format("{}", share)},
          {"patience", std::to_string(options.training.patience)},
          {"fit", to_string(options.rule.fit)},
          {"background", fmt::format("#{:02x}{:02x}{:02x}", red, green, blue)},
          {"limits", to_string(options.limits)},
          {"device", device.kind},
          {"instruction_set", device.instruction_set},
          {"version", LOOKALIKE_VERSION},
          {"photos", list_identity(photos.training).photos},
          {"validation_photos", list_identity(photos.validation).photos}};
}

void require_same_training(const std::string& folder, const Settings& stored, const Settings& asked) {
  std::vector<const char*> not_compared = {kRefusedSetting};
  not_compared.insert(not_compared.end(), kNotCompared.begin(), kNotCompared.end());
  for (const char* key : {"contents", "validation_contents"}) {
    if (!asked.contains(key)) not_compared.push_back(key);
  }
  require_same_settings(folder, stored, asked, {kNames, not_compared});
}

}  // namespace lookalike
