// MODEL/metrics.csv: one row an epoch. Every column but `seconds` is the same for the same run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike {

struct MetricsRow {
  int64_t epoch = 0;           // from 1
  int64_t images = 0;          // trained on since the start
  double loss = 0;             // mean over the epoch
  double validation_loss = 0;  // NaN: none, an empty field
  double learning_rate = 0;
  double seconds = 0;  // this epoch, or what of it came after a resume
};

// The rows of a file of ours, ascending. Throws E_DAMAGED naming the line that is none.
std::vector<MetricsRow> read_metrics(const std::string& path);

class Metrics {
 public:
  // Takes over the rows of epochs 1 .. last_epoch of an earlier file, where there is one of ours. The file
  // stays as it is.
  Metrics(std::string path, int64_t last_epoch);

  // Publishes the whole file with the row added.
  void add(const MetricsRow& row);

 private:
  std::string path_;
  std::vector<std::string> lines_;  // without the header
};

}  // namespace lookalike
