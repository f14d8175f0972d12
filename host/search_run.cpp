#include "host/search_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/bytes_text.h"
#include "host/catalog.h"
#include "host/catalog_search.h"
#include "host/collapse.h"
#include "host/picture.h"
#include "host/progress.h"
#include "host/search_queries.h"
#include "host/standard_output.h"
#include "host/thumbnail.h"

namespace lookalike {
namespace {

struct Hit {
  CatalogItem item;
  double distance = 0;  // Euclidean
};

struct Result {
  std::string name;                 // as asked for
  std::optional<CatalogItem> item;  // where the query is one
  std::vector<Hit> hits;
};

void say(const SearchCommandOptions& options, const std::string& text) { say(options.talk, "search", text); }

std::vector<Result> find(const SearchCommandOptions& options, const QuerySet& queries,
                         const CatalogReader& catalog, Device& device) {
  CatalogSearchOptions how;
  how.threads = options.threads;
  how.queries = how.at_once = std::ssize(queries.names);
  how.k = options.collapse ? options.k + kMoreToCollapse : options.k;
  how.notice = [&](const std::string& text) { say(options, text); };
  CatalogSearch search(catalog, device, how);
  SearchQueries asked;
  asked.codes = queries.codes;
  asked.dimension = catalog.dimension();
  if (!options.include_self) asked.self_rows = queries.rows;
  CollapsedSearch collapsed(catalog, searched_by(search), options.collapse);
  SearchLimits limits;
  limits.k = options.k;
  const auto found = collapsed.nearest(asked, limits);
  if (search.by_sketch()) {
    say(options, fmt::format("{} of {} photos measured in full{}", format_count(search.measured()),
                             format_count(catalog.rows()),
                             found.size() == 1 ? "" : fmt::format(", {} queries together", found.size())));
  }

  std::vector<Result> results;
  for (std::size_t q = 0; q < found.size(); ++q) {
    Result result;
    result.name = queries.names[q];
    if (queries.rows[q] >= 0) result.item = catalog.item(queries.rows[q]);
    for (const Neighbour& neighbour : found[q]) {
      result.hits.push_back({catalog.item(neighbour.row), std::sqrt(neighbour.squared_distance)});
    }
    results.push_back(std::move(result));
  }
  return results;
}

// Characters on a terminal: bytes of UTF-8 that begin one.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

std::string table(const Result& result) {
  std::size_t width = columns("label");
  for (const Hit& hit : result.hits) width = std::max(width, columns(printable(hit.item.label)));
  std::string text = "query  " + printable(result.item ? result.item->id : result.name);
  if (result.item && !result.item->label.empty())
    text += fmt::format("  ({})", printable(result.item->label));
  text += fmt::format("\n  rank    distance  {}  id\n", padded("label", width));
  for (std::size_t i = 0; i < result.hits.size(); ++i) {
    const Hit& hit = result.hits[i];
    text += fmt::format("  {:>4}  {:>10.4f}  {}  {}\n", i + 1, hit.distance,
                        padded(printable(hit.item.label), width), printable(hit.item.id));
  }
  return text;
}

std::string json_line(const Result& result) {
  using nlohmann::ordered_json;
  ordered_json neighbours = ordered_json::array();
  for (std::size_t i = 0; i < result.hits.size(); ++i) {
    const Hit& hit = result.hits[i];
    neighbours.push_back({{"rank", i + 1},
                          {"id", bytes_to_text(hit.item.id)},
                          {"label", bytes_to_text(hit.item.label)},
                          {"path", bytes_to_text(hit.item.path)},
                          {"distance", hit.distance}});
  }
  ordered_json line = {{"query", bytes_to_text(result.name)}, {"id", nullptr}};
  if (result.item) line["id"] = bytes_to_text(result.item->id);
  line["neighbours"] = std::move(neighbours);
  return line.dump() + '\n';
}

std::vector<PictureRow> picture_rows(const std::vector<Result>& results, const QuerySet& queries,
                                     const CatalogReader& catalog, Device& device) {
  std::vector<uint8_t> reconstructions(results.size() * std::size_t{kImageBytes});
  device.decode(queries.plain, reconstructions);
  std::vector<PictureRow> rows;
  for (std::size_t q = 0; q < results.size(); ++q) {
    const Result& result = results[q];
    PictureRow row;
    row.query.pixels =
        result.item ? thumbnail_pixels(catalog.thumbnail(result.item->row)) : queries.pixels[q];
    row.query.caption = result.item ? result.item->label : "photo";
    row.query.name = result.item ? result.item->id : result.name;
    const auto begin = reconstructions.begin() + static_cast<std::ptrdiff_t>(q) * kImageBytes;
    row.reconstruction.pixels.assign(begin, begin + kImageBytes);
    for (const Hit& hit : result.hits) {
      const std::string label = hit.item.label.empty() ? "" : "  " + hit.item.label;
      row.neighbours.push_back({thumbnail_pixels(catalog.thumbnail(hit.item.row)),
                                fmt::format("{:.2f}{}", hit.distance, label), hit.item.id});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int run_search(const SearchCommandOptions& options) {
  const CatalogReader catalog(options.catalog, options.codes);
  if (catalog.rows() == 0) {
    throw no_input_error(options.catalog + " has no photo yet, run encode to its end");
  }
  if (!catalog.complete()) {
    say(options, fmt::format("warning: {} is not finished, {} of {} photos are searched", options.catalog,
                             format_count(catalog.rows()), format_count(catalog.totals().listed)));
  }
  if (!options.picture.empty()) catalog.model();  // there are no pictures without one
  // Before the work: a name that cannot be written says so at once.
  std::optional<AtomicFile> picture;
  if (!options.picture.empty()) {
    sweep_temporaries_of(options.picture);
    picture.emplace(options.picture);
  }
  const auto device = make_device(options.device, options.threads, nullptr);
  if (catalog.has_model()) device->set_parameters(catalog.model().parameters);
  const QuerySet queries = resolve_queries(options.queries, catalog, *device);
  if (!queries.warning.empty()) say(options, "warning: " + queries.warning);
  const std::vector<Result> results = find(options, queries, catalog, *device);
  if (options.k > catalog.rows()) {
    say(options, fmt::format("the catalog has {} photos, fewer than the {} neighbours asked for",
                             format_count(catalog.rows()), format_count(options.k)));
  }
  if (picture) {
    const std::vector<uint8_t> png = search_picture(picture_rows(results, queries, catalog, *device));
    picture->write(std::as_bytes(std::span(png)));
    picture->commit();
  }
  std::string text;
  for (std::size_t q = 0; q < results.size(); ++q) {
    if (!options.json && q > 0) text += '\n';
    text += options.json ? json_line(results[q]) : table(results[q]);
  }
  print_output(text);
  if (picture) say(options, "picture: " + options.picture);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
