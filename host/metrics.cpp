#include "host/metrics.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "host/atomic_file.h"

namespace lookalike {
namespace {

constexpr const char* kHeader = "epoch,images,loss,validation_loss,learning_rate,seconds";
constexpr int64_t kMaxBytes = int64_t{256} << 20;

// The row's epoch, or 0 where it has none.
int64_t epoch_of(const std::string& line) {
  int64_t epoch = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), epoch);
  return error == std::errc() && stop != line.data() + line.size() && *stop == ',' ? epoch : 0;
}

}  // namespace

Metrics::Metrics(std::string path, int64_t last_epoch) : path_(std::move(path)) {
  if (last_epoch <= 0 || !std::filesystem::is_regular_file(path_)) return;
  std::istringstream text(read_file(path_, kMaxBytes));
  std::string line;
  if (!std::getline(text, line) || line != kHeader) return;
  int64_t previous = 0;
  while (std::getline(text, line)) {
    const int64_t epoch = epoch_of(line);
    if (epoch <= previous || epoch > last_epoch) break;
    lines_.push_back(line);
    previous = epoch;
  }
}

void Metrics::add(const MetricsRow& row) {
  const std::string validation =
      std::isnan(row.validation_loss) ? "" : fmt::format("{}", row.validation_loss);
  lines_.push_back(fmt::format("{},{},{},{},{},{:.3f}", row.epoch, row.images, row.loss, validation,
                               row.learning_rate, row.seconds));
  AtomicFile file(path_);
  file.write(std::string_view(fmt::format("{}\n{}\n", kHeader, fmt::join(lines_, "\n"))));
  file.commit();
}

}  // namespace lookalike
