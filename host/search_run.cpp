#include "host/search_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/bytes_text.h"
#include "host/catalog.h"
#include "host/catalog_checks.h"
#include "host/catalog_search.h"
#include "host/collapse.h"
#include "host/picture.h"
#include "host/progress.h"
#include "host/search_queries.h"
#include "host/standard_output.h"
#include "host/thumbnail.h"

namespace lookalike {
namespace {

// Items are read where they are shown: a result may be the whole catalog.
struct Result {
  std::string name;                 // as asked for
  std::optional<CatalogItem> item;  // where the query is one
  std::vector<Neighbour> neighbours;
};

double distance(const Neighbour& neighbour) { return std::sqrt(neighbour.squared_distance); }

// Text on its way to standard output.
class Output {
 public:
  void add(std::string_view text) {
    text_ += text;
    if (text_.size() >= kSome) flush();
  }
  void flush() {
    print_output(text_);
    text_.clear();
  }

 private:
  static constexpr std::size_t kSome = 1 << 20;
  std::string text_;
};

void say(const SearchCommandOptions& options, const std::string& text) { say(options.talk, "search", text); }

// Asks for as many queries at a time as the memory allows, and hands each result over in order.
void find(const SearchCommandOptions& options, const QuerySet& queries, const CatalogReader& catalog,
          Device& device, const std::function<void(Result result)>& visit) {
  const int64_t count = std::ssize(queries.names), d = catalog.dimension();
  CatalogSearchOptions how;
  how.threads = options.threads;
  how.queries = how.at_once = count;
  how.wish = options.wish;
  if (options.collapse) {
    how.wish.k = k_to_collapse(options.wish.k);
    how.beside = near_duplicates_bytes(catalog.rows(), count);
  }
  how.notice = [&](const std::string& text) { say(options, text); };
  CatalogSearch search(catalog, device, how);
  CollapsedSearch collapsed(catalog, searched_by(search), options.collapse);
  SearchQueries asked;
  asked.dimension = d;
  asked.keep_self = options.include_self;
  for (int64_t first = 0; first < count; first += search.at_once()) {
    const int64_t some = std::min(search.at_once(), count - first);
    asked.codes = std::span(queries.codes)
                      .subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(some * d));
    if (!options.include_self || options.wish.exclude_label_of_query) {
      asked.self_rows.assign(queries.rows.begin() + first, queries.rows.begin() + first + some);
    }
    auto found = collapsed.nearest(asked, limits_of(options.wish));
    for (int64_t i = 0; i < some; ++i) {
      const auto q = static_cast<std::size_t>(first + i);
      Result result;
      result.name = queries.names[q];
      if (queries.rows[q] >= 0) result.item = catalog.item(queries.rows[q]);
      result.neighbours = std::move(found[static_cast<std::size_t>(i)]);
      visit(std::move(result));
    }
  }
  if (!search.by_sketch()) return;
  say(options, fmt::format("{} of {} photos measured in full{}", format_count(search.measured()),
                           format_count(catalog.rows()),
                           count == 1 ? "" : fmt::format(", {} queries together", count)));
}

// Characters on a terminal: bytes of UTF-8 that begin one.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

void print_table(const Result& result, const CatalogReader& catalog, Output& output) {
  std::size_t width = columns("label");
  for (const Neighbour& neighbour : result.neighbours) {
    width = std::max(width, columns(printable(catalog.item(neighbour.row).label)));
  }
  std::string text = "query  " + printable(result.item ? result.item->id : result.name);
  if (result.item && !result.item->label.empty())
    text += fmt::format("  ({})", printable(result.item->label));
  if (result.neighbours.empty()) {
    output.add(text + "\n  no neighbour\n");
    return;
  }
  output.add(text + fmt::format("\n  rank    distance  {}  id\n", padded("label", width)));
  for (std::size_t i = 0; i < result.neighbours.size(); ++i) {
    const CatalogItem item = catalog.item(result.neighbours[i].row);
    output.add(fmt::format("  {:>4}  {:>10.4f}  {}  {}\n", i + 1, distance(result.neighbours[i]),
                           padded(printable(item.label), width), printable(item.id)));
  }
}

void print_json_line(const Result& result, const CatalogReader& catalog, Output& output) {
  using nlohmann::ordered_json;
  ordered_json head = {{"query", bytes_to_text(result.name)}, {"id", nullptr}};
  if (result.item) head["id"] = bytes_to_text(result.item->id);
  std::string text = head.dump();
  text.back() = ',';  // in place of the brace
  output.add(text);
  output.add("\"neighbours\":[");
  for (std::size_t i = 0; i < result.neighbours.size(); ++i) {
    const CatalogItem item = catalog.item(result.neighbours[i].row);
    const ordered_json one = {{"rank", i + 1},
                              {"id", bytes_to_text(item.id)},
                              {"label", bytes_to_text(item.label)},
                              {"path", bytes_to_text(item.path)},
                              {"distance", distance(result.neighbours[i])}};
    if (i > 0) output.add(",");
    output.add(one.dump());
  }
  output.add("]}\n");
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
    for (const Neighbour& neighbour : result.neighbours) {
      const CatalogItem item = catalog.item(neighbour.row);
      const std::string label = item.label.empty() ? "" : "  " + item.label;
      row.neighbours.push_back({thumbnail_pixels(catalog.thumbnail(neighbour.row)),
                                fmt::format("{:.2f}{}", distance(neighbour), label), item.id});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int run_search(const SearchCommandOptions& options) {
  const CatalogReader catalog(options.catalog, options.codes);
  require_items(catalog);
  if (const std::string text = unfinished_warning(catalog, "searched"); !text.empty()) say(options, text);
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
  if (options.wish.k != kAllNeighbours && options.wish.k > catalog.rows()) {
    say(options, fmt::format("the catalog has {} photos, fewer than the {} neighbours asked for",
                             format_count(catalog.rows()), format_count(options.wish.k)));
  }
  Output output;
  bool first = true;
  const auto print = [&](const Result& result) {
    if (!options.json && !first) output.add("\n");
    first = false;
    options.json ? print_json_line(result, catalog, output) : print_table(result, catalog, output);
  };
  if (picture) {
    std::vector<Result> results;
    find(options, queries, catalog, *device, [&](Result result) {
      require_picture_fits(std::ssize(result.neighbours), std::ssize(queries.names));
      results.push_back(std::move(result));
    });
    const std::vector<uint8_t> png = search_picture(picture_rows(results, queries, catalog, *device));
    picture->write(std::as_bytes(std::span(png)));
    picture->commit();
    for (const Result& result : results) print(result);
  } else {
    find(options, queries, catalog, *device, print);
  }
  output.flush();
  if (picture) say(options, "picture: " + options.picture);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
