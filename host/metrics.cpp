#include "host/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "engine/error.h"
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

// Takes the number before the next comma, or before the line's end, off `rest`.
template <typename Number>
bool take(std::string_view& rest, Number& value) {
  const std::string_view field = rest.substr(0, rest.find(','));
  rest.remove_prefix(std::min(rest.size(), field.size() + 1));
  const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && stop == field.data() + field.size();
}

bool parse_row(std::string_view line, MetricsRow& row) {
  if (std::count(line.begin(), line.end(), ',') != 5) return false;
  if (!take(line, row.epoch) || !take(line, row.images) || !take(line, row.loss)) return false;
  row.validation_loss = std::nan("");
  if (line.starts_with(',')) {
    line.remove_prefix(1);
  } else if (!take(line, row.validation_loss)) {
    return false;
  }
  return take(line, row.learning_rate) && take(line, row.seconds) && std::isfinite(row.loss);
}

}  // namespace

std::vector<MetricsRow> read_metrics(const std::string& path) {
  std::istringstream text(read_file(path, kMaxBytes));
  std::string line;
  std::vector<MetricsRow> rows;
  for (int64_t number = 1; std::getline(text, line); ++number) {
    MetricsRow row;
    const bool ours = number == 1 ? line == kHeader : parse_row(line, row);
    if (!ours || (number > 1 && row.epoch <= (rows.empty() ? 0 : rows.back().epoch))) {
      throw damaged_error(
          fmt::format("{} line {} is no epoch of a training, remove the file to go on without "
                      "its history",
                      path, number));
    }
    if (number > 1) rows.push_back(row);
  }
  return rows;
}

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
