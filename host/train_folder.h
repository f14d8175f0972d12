// The files of a model's folder while it is trained, and the order in which they are published: history and
// preview, then the state, then the best weights. The state holds the best weights too, so that whichever
// file a kill left behind is made again from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/train.h"
#include "host/byte_cache.h"
#include "host/metrics.h"
#include "host/model_file.h"
#include "host/train_settings.h"

namespace lookalike {

// Throws E_USAGE where `folder` holds something and no training of ours: its files would be mixed with that.
void refuse_foreign_folder(const std::string& folder);

class TrainFolder {
 public:
  // Touches nothing. All but stored() is for the folder's owner, who has its lock and has called prepare().
  TrainFolder(std::string folder, PhotoRule rule) : folder_(std::move(folder)), rule_(rule) {}
  void prepare() const;

  // The state to go on from. Throws E_USAGE where its settings are not the `asked` ones or the folder holds a
  // model that no state belongs to, E_DAMAGED where it cannot be read or is impossible; all say that --force
  // starts over.
  std::optional<TrainingState> stored(const TrainOptions& options, const Settings& asked) const;

  // Removes another run's state, then its model: what a kill leaves is never taken for this run's.
  void start_over() const;

  // Files each photo that cannot be used; removes the file where there is none.
  void write_refusals(const std::vector<Refusal>& refusals) const;

  void write_state(const Device& device, const TrainPosition& position, const Settings& settings) const;
  // Does nothing where the folder's model is already this one.
  void write_best(const TrainPosition& position, const Settings& settings) const;
  // Drops previews of later epochs than this one: another run's, or this one's before it was cut.
  void write_preview(int64_t epoch, const std::vector<uint8_t>& png) const;

  std::string model_path() const { return folder_ + "/model.safetensors"; }
  std::string state_path() const { return folder_ + "/training.safetensors"; }
  std::string metrics_path() const { return folder_ + "/metrics.csv"; }
  std::string refusals_path() const { return folder_ + "/refused.csv"; }

 private:
  std::string folder_;
  PhotoRule rule_;
};

TrainPosition position_of(const TrainingState& state);

}  // namespace lookalike
