#include "host/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "engine/error.h"
#include "host/base64.h"
#include "host/bytes_text.h"
#include "host/progress.h"
#include "host/thumbnail.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

using nlohmann::ordered_json;

// Room for reconstructions: as JPEG none is larger than its pixels.
const int64_t kReserved = 2 * kPairsShown * (base64_size(kImageBytes) + 3);
constexpr int64_t kPictureOverhead = 3;  // quotes and comma

ordered_json texts(const std::map<std::string, std::string>& settings) {
  ordered_json all = ordered_json::array();
  for (const auto& [name, value] : settings) all.push_back({printable(name), printable(value)});
  return all;
}

// Numbers of labels in order of appearance.
class Labels {
 public:
  int number(const std::string& label) {
    const auto [place, fresh] = numbers_.emplace(label, static_cast<int>(names_.size()));
    if (fresh) names_.push_back(printable(label));
    return place->second;
  }
  const ordered_json& names() const { return names_; }

 private:
  std::unordered_map<std::string, int> numbers_;
  ordered_json names_ = ordered_json::array();
};

ordered_json described(const CatalogItem& item, Labels& labels) {
  ordered_json json = {{"id", bytes_to_text(item.id)}};
  if (const std::string shown = printable(item.id); shown != json["id"]) json["shown"] = shown;
  if (!item.label.empty()) json["label"] = labels.number(item.label);
  json["width"] = item.width;
  json["height"] = item.height;
  return json;
}

ordered_json history(const std::vector<MetricsRow>& rows) {
  ordered_json all = ordered_json::array();
  for (const MetricsRow& row : rows) {
    // A number that is not finite becomes null.
    all.push_back({{"epoch", row.epoch},
                   {"images", row.images},
                   {"loss", row.loss},
                   {"validation", row.validation_loss},
                   {"rate", row.learning_rate},
                   {"seconds", row.seconds}});
  }
  return all;
}

ordered_json refusals(const ReportData& data) {
  ordered_json reasons = ordered_json::array(), first = ordered_json::array();
  for (const auto& [reason, count] : data.refusal_reasons) {
    if (reasons.size() == kRefusalsShown) break;
    reasons.push_back({printable(reason), count});
  }
  for (const Refusal& refusal : data.first_refusals) {
    first.push_back({printable(refusal.id), printable(refusal.reason)});
  }
  return {{"reasons", reasons}, {"first", first}};
}

ordered_json evaluation(const std::optional<Evaluation>& evaluation) {
  if (!evaluation) return nullptr;
  ordered_json codes = ordered_json::array();
  for (const JudgedCodes& judged : evaluation->codes) {
    ordered_json one = {judged.name, judged.numbers};
    for (const double precision : judged.all.precision) one.push_back(precision);
    one.push_back(judged.all.average_precision);
    codes.push_back(std::move(one));
  }
  return {{"labelled", evaluation->rows - evaluation->unlabelled},
          {"unlabelled", evaluation->unlabelled},
          {"judged", evaluation->judged},
          {"alone", evaluation->alone},
          {"labels", evaluation->labels.size()},
          {"at", kPrecisionAt},
          {"codes", std::move(codes)}};
}

ordered_json pair_items(const std::vector<ReportPair>& pairs) {
  ordered_json items = ordered_json::array();
  for (const ReportPair& pair : pairs) items.push_back(pair.item);
  return items;
}

// Everything but pictures. Neighbours are numbers: of items, then of others in their order.
ordered_json document(const ReportData& data, const ReportFit& fit) {
  std::unordered_map<int64_t, std::size_t> numbers;
  for (const ReportItem& item : data.items) numbers.emplace(item.item.row, numbers.size());
  for (const auto& [row, other] : data.others) numbers.emplace(row, numbers.size());

  Labels labels;
  ordered_json items = ordered_json::array(), others = ordered_json::array();
  for (const ReportItem& item : data.items) {
    ordered_json json = described(item.item, labels);
    json["loss"] = item.loss.loss;
    json["floor"] = item.loss.floor;
    ordered_json near = ordered_json::array();
    for (const Neighbour& neighbour : item.neighbours) {
      near.push_back({numbers.at(neighbour.row), std::sqrt(neighbour.squared_distance)});
    }
    json["near"] = std::move(near);
    items.push_back(std::move(json));
  }
  for (const auto& [row, other] : data.others) others.push_back(described(other, labels));

  return {{"catalog",
           {{"name", printable(data.catalog)},
            {"listed", data.totals.listed},
            {"encoded", data.totals.encoded},
            {"refused", data.totals.refused},
            {"complete", data.complete},
            {"settings", texts(data.settings)}}},
          {"model",
           {{"epoch", data.model.epoch},
            {"loss", data.model.loss},
            {"dataset", printable(data.model.dataset)},
            {"rule", to_string(data.model.rule)},
            {"settings", texts(data.model.settings)}}},
          {"history", history(data.history)},
          {"refusals", refusals(data)},
          {"evaluation", evaluation(data.evaluation)},
          {"halved", fit.halved},
          {"thinned", fit.thinned},
          {"spread", pair_items(data.spread)},
          {"worst", pair_items(data.worst)},
          {"labels", labels.names()},
          {"items", std::move(items)},
          {"others", std::move(others)}};
}

// ASCII; no byte of it means anything to an HTML parser.
std::string embedded(const ordered_json& json) {
  const std::string text = json.dump(-1, ' ', true);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";
    else if (c == '>')
      safe += "\\u003e";
    else if (c == '&')
      safe += "\\u0026";
    else
      safe += c;
  }
  return safe;
}

int64_t picture_bytes(const std::vector<uint8_t>& picture) {
  return static_cast<int64_t>(base64_size(picture.size())) + kPictureOverhead;
}

constexpr std::string_view kBetween =
    "</script>\n<script type=\"application/json\" id=\"pictures\">{\"items\":[";
constexpr std::string_view kReconstructions = "],\"reconstructions\":[";
constexpr std::string_view kEnd = "]}";

// All but pictures of others and reconstructions.
int64_t bytes_without(const ReportData& data, std::string_view text) {
  const std::size_t parts[] = {kReportHead.size(),      text.size(), kBetween.size(),
                               kReconstructions.size(), kEnd.size(), kReportTail.size()};
  int64_t bytes = std::ssize(data.others) * kPictureOverhead;
  for (const std::size_t part : parts) bytes += static_cast<int64_t>(part);
  for (const ReportItem& item : data.items) bytes += picture_bytes(item.picture);
  return bytes;
}

// Others' rows: every item's nearest, then every item's second, ...
std::vector<int64_t> others_by_rank(const ReportData& data) {
  std::vector<int64_t> order;
  std::set<int64_t> taken;
  std::size_t ranks = 0;
  for (const ReportItem& item : data.items) ranks = std::max(ranks, item.neighbours.size());
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    for (const ReportItem& item : data.items) {
      if (rank >= item.neighbours.size()) continue;
      const int64_t row = item.neighbours[rank].row;
      if (data.others.contains(row) && taken.insert(row).second) order.push_back(row);
    }
  }
  return order;
}

}  // namespace

ReportFit fit_report(ReportData& data, int64_t limit) {
  ReportFit fit;
  fit.limit = limit;
  for (;;) {
    if (kReserved + bytes_without(data, embedded(document(data, fit))) <= limit) return fit;
    if (!fit.halved) {
      fit.halved = true;
      for (ReportItem& item : data.items) item.picture = half_thumbnail(item.picture);
    } else if (data.items.size() > 1) {
      fit.thinned = true;
      thin_report(data, std::max<std::size_t>(1, data.items.size() * 3 / 4));
    } else {
      throw usage_error(
          "not even one item fits the report, its neighbours' names are too long, take a smaller -k");
    }
  }
}

ReportSize write_report(const ReportData& data, const ReportFit& fit,
                        const std::function<std::vector<uint8_t>(int64_t row)>& thumbnail,
                        const std::function<void(std::string_view text)>& write) {
  const std::string text = embedded(document(data, fit));
  int64_t left = fit.limit - bytes_without(data, text);
  for (const auto* pairs : {&data.spread, &data.worst}) {
    for (const ReportPair& pair : *pairs) left -= picture_bytes(pair.reconstruction);
  }
  std::unordered_map<int64_t, std::string> others;
  ReportSize size;
  for (const int64_t row : others_by_rank(data)) {
    const std::vector<uint8_t> picture = half_thumbnail(thumbnail(row));
    left -= picture_bytes(picture) - kPictureOverhead;
    if (left < 0) break;
    if (!picture.empty()) others.emplace(row, to_base64(picture));
  }
  size.others_without_picture = std::ssize(data.others) - std::ssize(others);

  const auto put = [&](std::string_view part) {
    write(part);
    size.bytes += static_cast<int64_t>(part.size());
  };
  put(kReportHead);
  put(text);
  put(kBetween);
  const char* comma = "";
  const auto put_picture = [&](const std::string& base64) {
    put(fmt::format("{}\"{}\"", comma, base64));
    comma = ",";
  };
  for (const ReportItem& item : data.items) put_picture(to_base64(item.picture));
  for (const auto& [row, other] : data.others) put_picture(others[row]);
  put(kReconstructions);
  comma = "";
  for (const auto* pairs : {&data.spread, &data.worst}) {
    for (const ReportPair& pair : *pairs) put_picture(to_base64(pair.reconstruction));
  }
  put(kEnd);
  put(kReportTail);
  return size;
}

}  // namespace lookalike
