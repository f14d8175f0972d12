#include "host/import_run.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <unordered_map>
#include <vector>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/encode_pipeline.h"
#include "host/fingerprint.h"
#include "host/foreign_matrix.h"
#include "host/interrupt.h"
#include "host/ledger.h"
#include "host/shell_word.h"
#include "host/text_lines.h"

namespace lookalike {
namespace {

// A shard of 256 MB at most, and what is read of one at a time.
constexpr int64_t kShardNumbers = int64_t{1} << 26;
constexpr int64_t kPieceNumbers = int64_t{1} << 20;
constexpr int64_t kMostShardRows = int64_t{1} << 17;

// At most `most` and one more.
std::vector<std::string> lines_of(const std::string& path, int64_t most) {
  const RegularFile file = open_regular(path);
  TextLines lines(file.descriptor.get(), path);
  std::vector<std::string> all;
  try {
    for (std::string line; std::ssize(all) <= most && lines.next(line);) {
      if (line.ends_with('\n')) line.pop_back();
      if (line.ends_with('\r')) line.pop_back();
      all.push_back(line);
    }
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    throw usage_error(
        fmt::format("{}, line {} is no text, write it as UTF-8 with one a line", path, all.size() + 1));
  }
  return all;
}

// "3 ids", "more than 3 ids".
std::string counted_lines(const std::vector<std::string>& lines, int64_t most, const char* one) {
  return std::ssize(lines) > most ? "more than " + counted(most, one) : counted(std::ssize(lines), one);
}

std::vector<std::string> read_ids(const ImportCommandOptions& options, int64_t rows) {
  std::vector<std::string> ids = lines_of(options.ids, rows);
  if (std::ssize(ids) != rows) {
    throw usage_error(fmt::format("{} has {} for the {} of {}, give one a line", options.ids,
                                  counted_lines(ids, rows, "id"), counted(rows, "row"), options.matrix));
  }
  std::unordered_map<std::string_view, std::size_t> first;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].empty())
      throw usage_error(fmt::format("{}, line {} is empty, give each row an id", options.ids, i + 1));
    const auto [place, fresh] = first.emplace(ids[i], i);
    if (!fresh) {
      throw usage_error(fmt::format("{}, lines {} and {} are both {}, give each row its own id", options.ids,
                                    place->second + 1, i + 1, ids[i]));
    }
  }
  return ids;
}

std::vector<std::string> read_labels(const ImportCommandOptions& options, int64_t rows) {
  if (options.labels.empty()) return std::vector<std::string>(static_cast<std::size_t>(rows));
  std::vector<std::string> labels = lines_of(options.labels, rows);
  if (std::ssize(labels) != rows) {
    throw usage_error(fmt::format("{} has {} for the {} of {}, give one a line, which may be empty",
                                  options.labels, counted_lines(labels, rows, "label"), counted(rows, "row"),
                                  options.matrix));
  }
  return labels;
}

std::string hash_of(const std::vector<std::string>& texts) {
  Fingerprint hash;
  for (const std::string& text : texts) hash.add(text);
  return hash.hex();
}

// visit(first row, rows) over the matrix, with a look at signals.
template <typename Visit>
void for_each_piece(const ImportCommandOptions& options, ForeignMatrix& matrix, int64_t first, int64_t end,
                    Progress& progress, const Visit& visit) {
  const int64_t some = std::max<int64_t>(1, kPieceNumbers / matrix.columns());
  std::vector<float> rows;
  for (; first < end; first += some) {
    if (stop_signal() != 0) {
      progress.message(
          fmt::format("stopped by SIG{}, the same command goes on after the last whole shard of {}",
                      sigabbrev_np(stop_signal()), options.catalog));
      throw Interrupted(stop_signal());
    }
    const int64_t count = std::min(some, end - first);
    rows.resize(static_cast<std::size_t>(count * matrix.columns()));
    matrix.read_rows(first, count, rows);
    visit(first, rows);
    progress.update(first + count, "");
  }
}

// All finite; the fingerprint of the numbers as they are stored.
std::string check_numbers(const ImportCommandOptions& options, ForeignMatrix& matrix,
                          const std::vector<std::string>& ids) {
  Progress progress(options.talk, "check codes", matrix.rows());
  progress.set_unit("codes");
  Fingerprint hash;
  hash.add(static_cast<uint64_t>(matrix.columns()));
  for_each_piece(
      options, matrix, 0, matrix.rows(), progress, [&](int64_t first, std::span<const float> rows) {
        const auto bad = std::ranges::find_if(rows, [](float value) { return !std::isfinite(value); });
        if (bad != rows.end()) {
          const int64_t at = bad - rows.begin(), row = first + at / matrix.columns();
          throw non_finite_error(fmt::format(
              "{}, row {} (id {}) has {} at number {}, which cannot be compared, leave the row out or mend "
              "it",
              matrix.path(), row, ids[static_cast<std::size_t>(row)],
              std::isnan(*bad) ? "NaN" : "an infinity, or more than a float32 holds,",
              at % matrix.columns()));
        }
        hash.add_raw(std::as_bytes(rows));
      });
  return hash.hex();
}

}  // namespace

int run_import(const ImportCommandOptions& options) {
  watch_signals();
  ForeignMatrix matrix(options.matrix);
  const int64_t rows = matrix.rows(), d = matrix.columns();
  if (rows == 0) throw no_input_error(options.matrix + " has no row");
  const std::vector<std::string> ids = read_ids(options, rows), labels = read_labels(options, rows);
  const int64_t shard_rows = std::clamp<int64_t>(kShardNumbers / d, 1, kMostShardRows);

  const Settings settings = {{kDimensionSetting, std::to_string(d)},
                             {"codes", check_numbers(options, matrix, ids)},
                             {"ids", hash_of(ids)},
                             {"labels", hash_of(labels)},
                             {"shard_rows", std::to_string(shard_rows)},
                             {"version", LOOKALIKE_VERSION}};
  CatalogWriter writer(options.catalog, std::nullopt, settings, rows, shard_count(rows, shard_rows),
                       options.force);
  Progress progress(options.talk, "import", rows);
  progress.set_unit("codes");
  for (int64_t shard = 0; shard < shard_count(rows, shard_rows); ++shard) {
    const int64_t begin = shard * shard_rows, end = std::min(rows, begin + shard_rows);
    if (writer.finished(shard)) continue;
    for_each_piece(options, matrix, begin, end, progress, [&](int64_t first, std::span<const float> codes) {
      ShardContent piece;
      piece.shard = shard;
      piece.codes.assign(codes.begin(), codes.end());
      const int64_t count = std::ssize(codes) / d;
      for (int64_t row = first; row < first + count; ++row) {
        CatalogItem item;
        item.id = ids[static_cast<std::size_t>(row)];
        item.label = labels[static_cast<std::size_t>(row)];
        piece.items.push_back(std::move(item));
      }
      piece.ends_shard = first + count == end;
      writer.write(std::move(piece));
    });
  }
  writer.finish();
  progress.message(counted(rows, "code") + " of " + counted(d, "number"));
  progress.message("catalog: " + options.catalog);
  progress.message(
      fmt::format("next: lookalike recommend -c {} -o recommendations.csv", shell_path(options.catalog)));
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
