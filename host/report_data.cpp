#include "host/report_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/error.h"
#include "host/catalog_search.h"
#include "host/collapse.h"
#include "host/files.h"
#include "host/ledger.h"
#include "host/picture.h"
#include "host/thumbnail.h"

namespace lookalike {
namespace {

// Thumbnails decoded at one time: 2 MB.
constexpr std::size_t kBatch = 32;

// The i-th of `count` places spread evenly over 0 .. size - 1.
int64_t spread_place(int64_t i, int64_t count, int64_t size) {
  // In parts, so that no product passes 64 bits.
  return i * (size / count) + i * (size % count) / count;
}

std::string last_part(const std::string& folder) {
  const auto path = std::filesystem::path(folder).lexically_normal();
  return (path.has_filename() ? path.filename() : path.parent_path().filename()).string();
}

void add_refusals(const CatalogReader& catalog, ReportData& data) {
  std::vector<Refusal> refusals = catalog.refusals();
  std::map<std::string, int64_t> counts;
  for (const Refusal& refusal : refusals) ++counts[refusal.reason];
  data.refusal_reasons.assign(counts.begin(), counts.end());
  std::stable_sort(data.refusal_reasons.begin(), data.refusal_reasons.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  refusals.resize(std::min(refusals.size(), kRefusalsShown));
  data.first_refusals = std::move(refusals);
}

void add_items(const CatalogReader& catalog, int64_t count, ReportData& data) {
  for (int64_t i = 0; i < count; ++i) {
    ReportItem item;
    item.item = catalog.item(spread_place(i, count, catalog.rows()));
    data.items.push_back(std::move(item));
  }
}

void add_neighbours(Device& device, const CatalogReader& catalog, const ReportWork& work,
                    const ReportProgress& progress, ReportData& data) {
  const int64_t k = work.neighbours;
  const auto d = static_cast<std::size_t>(catalog.dimension());
  std::vector<float> codes(data.items.size() * d);
  SearchQueries queries;
  queries.codes = codes;
  queries.dimension = catalog.dimension();
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    const int64_t row = data.items[i].item.row;
    catalog.read_codes(row, std::span(codes).subspan(i * d, d));
    queries.self_rows.push_back(row);
  }
  CatalogSearchOptions options;
  options.queries = options.at_once = std::ssize(data.items);
  options.wish.k = work.collapse ? k_to_collapse(k) : k;
  options.beside = work.collapse ? near_duplicates_bytes(catalog.rows(), options.at_once) : 0;
  options.watch = [&](double share) {
    progress("neighbours", static_cast<int64_t>(share * static_cast<double>(catalog.rows())), catalog.rows());
    return true;
  };
  SearchLimits limits;
  limits.k = k;
  CatalogSearch search(catalog, device, options);
  auto found = CollapsedSearch(catalog, searched_by(search), work.collapse).nearest(queries, limits);
  progress("neighbours", catalog.rows(), catalog.rows());
  for (std::size_t i = 0; i < data.items.size(); ++i) data.items[i].neighbours = std::move(found[i]);
}

void add_others(const CatalogReader& catalog, ReportData& data) {
  std::set<int64_t> shown;
  for (const ReportItem& item : data.items) shown.insert(item.item.row);
  for (const ReportItem& item : data.items) {
    for (const Neighbour& neighbour : item.neighbours) {
      if (shown.contains(neighbour.row) || data.others.contains(neighbour.row)) continue;
      data.others.emplace(neighbour.row, catalog.item(neighbour.row));
    }
  }
}

void add_pictures(Device& device, const CatalogReader& catalog, const ReportProgress& progress,
                  ReportData& data) {
  const auto count = static_cast<int64_t>(data.items.size());
  for (std::size_t first = 0; first < data.items.size(); first += kBatch) {
    progress("pictures", static_cast<int64_t>(first), count);
    std::vector<ReportItem*> whole;
    std::vector<uint8_t> images;
    for (std::size_t i = first; i < std::min(first + kBatch, data.items.size()); ++i) {
      ReportItem& item = data.items[i];
      item.loss = {std::nan(""), std::nan("")};
      item.picture = catalog.thumbnail(item.item.row);
      const std::vector<uint8_t> pixels = thumbnail_pixels(item.picture);
      if (pixels.empty()) {
        item.picture.clear();
        continue;
      }
      whole.push_back(&item);
      images.insert(images.end(), pixels.begin(), pixels.end());
    }
    const std::vector<PhotoLoss> losses = photo_losses(device, images);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i]->loss = losses[i];
  }
  progress("pictures", count, count);
}

ReportPair make_pair(Device& device, const CatalogReader& catalog, const ReportData& data,
                     std::size_t index) {
  std::vector<float> code(std::size_t{kCodeLength});
  std::vector<uint8_t> pixels(std::size_t{kImageBytes});
  catalog.read_plain_codes(data.items[index].item.row, code);
  device.decode(code, pixels);
  return {index, thumbnail_of(pixels)};
}

// Items judged at most: a second or two.
constexpr int64_t kJudged = 1000;

std::optional<Evaluation> judged(Device& device, const CatalogReader& catalog, int64_t items,
                                 const ReportProgress& progress) {
  try {
    return evaluate(device, catalog, {.items = std::min(items, kJudged)}, progress);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kNoInput) throw;
    return {};
  }
}

}  // namespace

ReportData collect_report(Device& device, const CatalogReader& catalog, const ReportWork& work,
                          const ReportProgress& progress) {
  ReportData data;
  data.catalog = last_part(catalog.folder());
  data.totals = catalog.totals();
  data.complete = catalog.complete();
  data.settings = catalog.settings();
  data.settings["codes"] =
      catalog.kind() == CodeKind::kPlain ? "plain" : fmt::format("compact, {} numbers", catalog.dimension());
  data.model = catalog.model();
  const std::string history = CatalogPaths{catalog.folder()}.history();
  if (exists(history)) data.history = read_metrics(history);
  add_refusals(catalog, data);
  add_items(catalog, std::min(work.items, catalog.rows()), data);
  add_neighbours(device, catalog, work, progress, data);
  add_others(catalog, data);
  add_pictures(device, catalog, progress, data);
  data.evaluation = judged(device, catalog, work.items, progress);
  return data;
}

void thin_report(ReportData& data, std::size_t count) {
  const auto size = static_cast<int64_t>(data.items.size());
  std::set<int64_t> kept;
  for (std::size_t i = 0; i < count; ++i) {
    kept.insert(spread_place(static_cast<int64_t>(i), static_cast<int64_t>(count), size));
  }
  std::vector<ReportItem> items;
  std::map<int64_t, CatalogItem> dropped;
  for (int64_t i = 0; i < size; ++i) {
    ReportItem& item = data.items[static_cast<std::size_t>(i)];
    if (kept.contains(i)) {
      items.push_back(std::move(item));
    } else {
      dropped.emplace(item.item.row, std::move(item.item));
    }
  }
  data.items = std::move(items);
  std::map<int64_t, CatalogItem> others;
  for (const ReportItem& item : data.items) {
    for (const Neighbour& neighbour : item.neighbours) {
      if (const auto other = data.others.find(neighbour.row); other != data.others.end()) {
        others.insert(*other);
      } else if (const auto gone = dropped.find(neighbour.row); gone != dropped.end()) {
        others.insert(*gone);
      }
    }
  }
  data.others = std::move(others);
}

void add_pairs(Device& device, const CatalogReader& catalog, ReportData& data) {
  std::vector<std::size_t> with_picture;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    if (!data.items[i].picture.empty()) with_picture.push_back(i);
  }
  const auto size = static_cast<int64_t>(with_picture.size());
  const auto shown = std::min(static_cast<int64_t>(kPairsShown), size);
  for (int64_t i = 0; i < shown; ++i) {
    const std::size_t index = with_picture[static_cast<std::size_t>(spread_place(i, shown, size))];
    data.spread.push_back(make_pair(device, catalog, data, index));
  }
  std::stable_sort(with_picture.begin(), with_picture.end(), [&](std::size_t a, std::size_t b) {
    return data.items[a].loss.excess() > data.items[b].loss.excess();
  });
  for (int64_t i = 0; i < shown; ++i) {
    data.worst.push_back(make_pair(device, catalog, data, with_picture[static_cast<std::size_t>(i)]));
  }
}

}  // namespace lookalike
