#include "host/recommendations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/csv.h"

namespace lookalike {
namespace {

// 47 MB of codes at a time.
constexpr int64_t kBlockRows = 4096;

// Neighbours held at one time, so that a k of the whole catalog stays within some 200 MB.
constexpr int64_t kHeldNeighbours = int64_t{1} << 22;

// One item at a time: of a large catalog the ids alone fit where all columns would not.
std::vector<std::string> all_ids(const CatalogReader& catalog) {
  std::vector<std::string> ids;
  ids.reserve(static_cast<std::size_t>(catalog.rows()));
  for (int64_t row = 0; row < catalog.rows(); ++row) ids.push_back(catalog.item(row).id);
  return ids;
}

// ids as they are written: quoted once, not once for each line.
std::vector<std::string> written_ids(const CatalogReader& catalog, TableFormat format) {
  std::vector<std::string> ids = all_ids(catalog);
  for (std::string& id : ids) {
    id = format == TableFormat::kCsv ? quoted_csv_field(id) : nlohmann::json(bytes_to_text(id)).dump();
  }
  return ids;
}

std::string item_lines(int64_t row, const std::vector<Neighbour>& neighbours,
                       const std::vector<std::string>& ids, TableFormat format) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  const std::string& id = ids[static_cast<std::size_t>(row)];
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    const std::string& other = ids[static_cast<std::size_t>(neighbours[i].row)];
    const double distance = std::sqrt(neighbours[i].squared_distance);
    if (format == TableFormat::kCsv) {
      fmt::format_to(out, "{},{},{},{}\n", id, i + 1, other, distance);
    } else {
      fmt::format_to(out, "{{\"id\":{},\"rank\":{},\"neighbour_id\":{},\"distance\":{}}}\n", id, i + 1, other,
                     distance);
    }
  }
  return fmt::to_string(text);
}

// Thrown through search() where report asks to stop.
struct Stop {};

// The catalog's blocks, with a look at `report` before each: one pass over a large catalog takes minutes.
CodeSource watched_source(const CatalogReader& catalog, const std::function<bool(int64_t)>& report,
                          const int64_t& first, const int64_t& count) {
  CodeSource source = code_source(catalog);
  if (!report) return source;
  return {source.rows, [=, &report, &first, &count](const auto& visit) {
            source.for_each_block([&](int64_t first_row, std::span<const float> codes) {
              const double share = static_cast<double>(first_row) / static_cast<double>(source.rows);
              if (!report(first + static_cast<int64_t>(share * static_cast<double>(count)))) throw Stop();
              visit(first_row, codes);
            });
          }};
}

}  // namespace

TableFormat table_format(const std::string& output) {
  if (output == "-" || output.ends_with(".csv")) return TableFormat::kCsv;
  if (output.ends_with(".jsonl")) return TableFormat::kJsonLines;
  throw usage_error(fmt::format(
      "--output is '{}', take a name ending in .csv or .jsonl, or - for standard output", output));
}

CodeSource code_source(const CatalogReader& catalog) {
  return {catalog.rows(), [&catalog](const auto& visit) { catalog.for_each_block(kBlockRows, visit); }};
}

int64_t write_recommendations(Device& device, const CatalogReader& catalog,
                              const RecommendationOptions& options,
                              const RecommendationCallbacks& callbacks) {
  const int64_t rows = catalog.rows(), dimension = catalog.dimension();
  const std::vector<std::string> ids = written_ids(catalog, options.format);
  const int64_t kept = std::max<int64_t>(1, std::min(options.k, rows));
  const int64_t block = std::clamp<int64_t>(kHeldNeighbours / kept, 1, options.block_queries);
  int64_t first = 0, count = 0;
  const CodeSource source = watched_source(catalog, callbacks.report, first, count);

  if (options.format == TableFormat::kCsv) callbacks.write("id,rank,neighbour_id,distance\n");
  int64_t lines = 0;
  std::vector<float> codes;
  try {
    for (; first < rows; first += count) {
      count = std::min(block, rows - first);
      codes.resize(static_cast<std::size_t>(count * dimension));
      SearchQueries queries;
      queries.dimension = dimension;
      for (int64_t i = 0; i < count; ++i) {
        catalog.read_codes(first + i, std::span(codes).subspan(static_cast<std::size_t>(i * dimension),
                                                               static_cast<std::size_t>(dimension)));
        queries.self_rows.push_back(first + i);
      }
      queries.codes = codes;
      const auto results = search(device, queries, source, options.k);
      for (int64_t i = 0; i < count; ++i) {
        const auto& neighbours = results[static_cast<std::size_t>(i)];
        callbacks.write(item_lines(first + i, neighbours, ids, options.format));
        lines += std::ssize(neighbours);
      }
    }
  } catch (const Stop&) {
    return -1;
  }
  if (callbacks.report) callbacks.report(rows);
  return lines;
}

}  // namespace lookalike
