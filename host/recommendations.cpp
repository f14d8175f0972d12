#include "host/recommendations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/catalog_search.h"
#include "host/collapse.h"
#include "host/csv.h"

namespace lookalike {
namespace {

// Of a large catalog the ids alone fit where all columns would not.
std::vector<std::string> all_ids(const CatalogReader& catalog) {
  std::vector<std::string> ids;
  ids.reserve(static_cast<std::size_t>(catalog.rows()));
  catalog.for_each_item([&](const CatalogItem& item) { ids.push_back(item.id); });
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

// Codes of `count` rows from `first` on.
void read_queries(const CatalogReader& catalog, int64_t first, int64_t count, std::vector<float>& codes,
                  SearchQueries& queries) {
  const int64_t d = catalog.dimension();
  codes.resize(static_cast<std::size_t>(count * d));
  queries.dimension = d;
  queries.self_rows.clear();
  for (int64_t i = 0; i < count; ++i) {
    catalog.read_codes(
        first + i, std::span(codes).subspan(static_cast<std::size_t>(i * d), static_cast<std::size_t>(d)));
    queries.self_rows.push_back(first + i);
  }
  queries.codes = codes;
}

}  // namespace

TableFormat table_format(const std::string& output) {
  if (output == "-" || output.ends_with(".csv")) return TableFormat::kCsv;
  if (output.ends_with(".jsonl")) return TableFormat::kJsonLines;
  throw usage_error(fmt::format(
      "--output is '{}', take a name ending in .csv or .jsonl, or - for standard output", output));
}

RecommendationResult write_recommendations(Device& device, const CatalogReader& catalog,
                                           const RecommendationOptions& options,
                                           const RecommendationCallbacks& callbacks) {
  const int64_t rows = catalog.rows();
  const std::vector<std::string> ids = written_ids(catalog, options.format);
  int64_t first = 0, count = 0;
  CatalogSearchOptions asked;
  asked.threads = options.threads;
  asked.queries = rows;
  asked.at_once = std::min(options.block_queries, rows);
  asked.wish = options.wish;
  if (options.collapse) {
    asked.wish.k = k_to_collapse(options.wish.k);
    asked.beside = near_duplicates_bytes(rows, asked.at_once);
  }
  asked.notice = callbacks.notice;
  if (callbacks.report) {  // before each block: one pass over a large catalog takes minutes
    asked.watch = [&](double share) {
      // All is told once all is written.
      return callbacks.report(
          std::min(rows - 1, first + static_cast<int64_t>(share * static_cast<double>(count))));
    };
  }
  CatalogSearch search(catalog, device, asked);
  CollapsedSearch collapsed(catalog, searched_by(search), options.collapse);

  RecommendationResult result;
  if (options.format == TableFormat::kCsv) callbacks.write("id,rank,neighbour_id,distance\n");
  std::vector<float> codes;
  SearchQueries queries;
  const auto write = [&](int64_t row, const std::vector<Neighbour>& neighbours) {
    callbacks.write(item_lines(row, neighbours, ids, options.format));
    result.lines += std::ssize(neighbours);
  };
  try {
    count = rows;
    auto all = options.collapse ? std::nullopt : search.nearest_of_all();
    constexpr int64_t kLinesOf = 4096;
    for (int64_t row = 0; all && row < rows; ++row) {
      if (row % kLinesOf == 0 && callbacks.report && !callbacks.report(rows - 1)) throw SearchStopped();
      write(row, all->take(row));
    }
    for (first = all ? rows : 0; first < rows; first += count) {
      count = std::min(search.at_once(), rows - first);
      read_queries(catalog, first, count, codes, queries);
      const auto found = collapsed.nearest(queries, limits_of(options.wish));
      for (int64_t i = 0; i < count; ++i) write(first + i, found[static_cast<std::size_t>(i)]);
    }
    if (callbacks.report) callbacks.report(rows);
  } catch (const SearchStopped&) {
    result.stopped = true;
  }
  if (search.by_sketch()) result.measured = search.measured();
  return result;
}

}  // namespace lookalike
