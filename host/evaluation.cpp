#include "host/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <span>
#include <utility>

#include "engine/error.h"
#include "engine/random.h"
#include "engine/search.h"
#include "host/files.h"
#include "host/thumbnail.h"

namespace lookalike {
namespace {

constexpr int kShrunkenSide = 18;
constexpr std::size_t kBatch = 32;  // pictures at one time: 2 MB

// Neighbours held at one time: 67 MB.
constexpr int64_t kHeldNeighbours = int64_t{1} << 22;
constexpr int64_t kBlockRows = 1024;

// Vectors of all judged items, (N, numbers).
struct Vectors {
  std::string name;
  int64_t numbers = 0;
  std::vector<float> values;
};

struct Sample {
  std::vector<int64_t> rows;
  std::vector<int> labels;         // of each row
  std::vector<std::string> names;  // of each label
};

Sample sample_of(const CatalogReader& catalog, int64_t most, Evaluation& evaluation,
                 const EvaluationProgress& progress) {
  Sample all;
  std::map<std::string, int> numbers;
  evaluation.rows = catalog.rows();
  catalog.for_each_item([&](const CatalogItem& item) {
    if (item.row % kBlockRows == 0) progress("labels", item.row, catalog.rows());
    if (item.label.empty()) {
      ++evaluation.unlabelled;
      return;
    }
    all.rows.push_back(item.row);
    all.labels.push_back(numbers.emplace(item.label, static_cast<int>(numbers.size())).first->second);
  });
  all.names.resize(numbers.size());
  for (const auto& [name, number] : numbers) all.names[static_cast<std::size_t>(number)] = name;

  const int64_t labelled = std::ssize(all.rows), kept = std::min(most, labelled);
  for (int64_t i = 0; i < kept; ++i) {
    const auto from = static_cast<std::size_t>(i * (labelled / kept) + i * (labelled % kept) / kept);
    all.rows[static_cast<std::size_t>(i)] = all.rows[from];
    all.labels[static_cast<std::size_t>(i)] = all.labels[from];
  }
  all.rows.resize(static_cast<std::size_t>(kept));
  all.labels.resize(static_cast<std::size_t>(kept));
  evaluation.judged = kept;
  return all;
}

// Labels of two items and more, the largest first.
std::vector<int> shared_labels(const Sample& sample, Evaluation& evaluation) {
  std::vector<int64_t> sizes(sample.names.size());
  for (const int label : sample.labels) ++sizes[static_cast<std::size_t>(label)];
  std::vector<int> shared;
  for (std::size_t label = 0; label < sizes.size(); ++label) {
    if (sizes[label] == 1) ++evaluation.alone;
    if (sizes[label] > 1) shared.push_back(static_cast<int>(label));
  }
  const auto size = [&](int label) { return sizes[static_cast<std::size_t>(label)]; };
  const auto name = [&](int label) -> const std::string& {
    return sample.names[static_cast<std::size_t>(label)];
  };
  std::ranges::sort(shared,
                    [&](int a, int b) { return size(a) != size(b) ? size(a) > size(b) : name(a) < name(b); });
  for (const int label : shared) evaluation.labels.push_back({name(label), size(label)});
  return shared;
}

JudgedCodes judge(Device& device, const Sample& sample, const std::vector<int>& shared,
                  const Vectors& vectors, const EvaluationProgress& progress) {
  const int64_t count = std::ssize(sample.rows), d = vectors.numbers;
  const auto part = [&](int64_t first, int64_t some) {
    return std::span(vectors.values)
        .subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(some * d));
  };
  const CodeSource source = {count, [&](const auto& visit) {
                               for (int64_t first = 0; first < count; first += kBlockRows) {
                                 visit(first, part(first, std::min(kBlockRows, count - first)));
                               }
                             }};
  LabelJudge judge(sample.labels);
  const int64_t block = std::clamp<int64_t>(kHeldNeighbours / count, 1, kBlockRows);
  for (int64_t first = 0; first < count; first += block) {
    progress(vectors.name.c_str(), first, count);
    SearchQueries queries;
    const int64_t some = std::min(block, count - first);
    queries.codes = part(first, some);
    queries.dimension = d;
    for (int64_t q = 0; q < some; ++q) queries.self_rows.push_back(first + q);
    const auto rankings = search(device, queries, source, count - 1);
    for (int64_t q = 0; q < some; ++q) judge.add(first + q, rankings[static_cast<std::size_t>(q)]);
  }
  progress(vectors.name.c_str(), count, count);
  JudgedCodes judged{vectors.name, d, judge.all(), {}};
  for (const int label : shared) judged.by_label.push_back(judge.of_label(label));
  return judged;
}

Vectors codes_of(const CatalogReader& catalog, const Sample& sample, const char* name) {
  Vectors vectors{name, catalog.dimension(), {}};
  vectors.values.resize(sample.rows.size() * static_cast<std::size_t>(vectors.numbers));
  for (std::size_t i = 0; i < sample.rows.size(); ++i) {
    catalog.read_codes(sample.rows[i], std::span(vectors.values)
                                           .subspan(i * static_cast<std::size_t>(vectors.numbers),
                                                    static_cast<std::size_t>(vectors.numbers)));
  }
  return vectors;
}

// Averages over areas: side 1 is the mean colour.
void add_shrunken(const std::vector<uint8_t>& pixels, int side, Vectors& vectors) {
  const cv::Mat bytes(kImageSize, kImageSize, CV_8UC3, const_cast<uint8_t*>(pixels.data()));
  cv::Mat floats, small;
  bytes.convertTo(floats, CV_32FC3);
  cv::resize(floats, small, cv::Size(side, side), 0, 0, cv::INTER_AREA);
  const auto* first = small.ptr<float>();
  vectors.values.insert(vectors.values.end(), first, first + vectors.numbers);
}

uint64_t training_seed(const Model& model) {
  uint64_t seed = 1;
  const auto found = model.settings.find("seed");
  if (found == model.settings.end()) return seed;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), seed);
  return seed;
}

// Of the catalog's pictures, what the network saw; nothing where one is missing.
std::vector<Vectors> of_pictures(Device& device, const CatalogReader& catalog, const Sample& sample,
                                 const EvaluationProgress& progress) {
  constexpr int64_t kShrunken = int64_t{3} * kShrunkenSide * kShrunkenSide;
  const auto count = static_cast<int64_t>(sample.rows.size());
  Vectors small{"shrunken pixels", kShrunken, {}}, colour{"mean colour", 3, {}};
  small.values.reserve(sample.rows.size() * std::size_t{kShrunken});
  Vectors untrained{"untrained encoder", kCodeLength, {}};
  untrained.values.resize(sample.rows.size() * std::size_t{kCodeLength});
  device.set_parameters(initial_parameters(training_seed(catalog.model())));
  for (std::size_t first = 0; first < sample.rows.size(); first += kBatch) {
    progress("pictures", static_cast<int64_t>(first), count);
    const std::size_t some = std::min(kBatch, sample.rows.size() - first);
    std::vector<uint8_t> images;
    for (std::size_t i = first; i < first + some; ++i) {
      const std::vector<uint8_t> pixels = thumbnail_pixels(catalog.thumbnail(sample.rows[i]));
      if (pixels.empty()) return {};
      add_shrunken(pixels, kShrunkenSide, small);
      add_shrunken(pixels, 1, colour);
      images.insert(images.end(), pixels.begin(), pixels.end());
    }
    device.encode(images, std::span(untrained.values)
                              .subspan(first * std::size_t{kCodeLength}, some * std::size_t{kCodeLength}));
  }
  progress("pictures", count, count);
  std::vector<Vectors> all;
  all.push_back(std::move(untrained));
  all.push_back(std::move(small));
  all.push_back(std::move(colour));
  return all;
}

}  // namespace

Evaluation evaluate(Device& device, const CatalogReader& catalog, const EvaluationWork& work,
                    const EvaluationProgress& progress) {
  Evaluation evaluation;
  const Sample sample = sample_of(catalog, work.items, evaluation, progress);
  const std::vector<int> shared = shared_labels(sample, evaluation);
  if (shared.empty()) {
    const bool all = evaluation.judged == evaluation.rows - evaluation.unlabelled;
    const char* remedy = !all                  ? "--items takes more"
                         : catalog.has_model() ? "encode takes labels from folders or a CSV"
                                               : "import-codes --labels takes them from a file";
    const std::string which =
        evaluation.judged == 0 ? fmt::format("no item of {} has a label", catalog.folder())
                               : fmt::format("no two of the {} items {} {} share a label", evaluation.judged,
                                             all ? "with a label of" : "sampled of", catalog.folder());
    throw no_input_error(fmt::format("{}, so there is nothing to judge by; {}", which, remedy));
  }
  const auto add = [&](const Vectors& vectors) {
    evaluation.codes.push_back(judge(device, sample, shared, vectors, progress));
  };
  add(codes_of(CatalogReader(catalog.folder()), sample, "plain codes"));
  std::optional<CatalogReader> compact;
  try {
    compact.emplace(catalog.folder(), CodeKind::kCompact);
  } catch (const Error& error) {
    // None, stale or damaged: what verify is for, and no reason to judge nothing.
    if (error.code() != ExitCode::kUsage && error.code() != ExitCode::kDamaged) throw;
    evaluation.missing.push_back(error.what());
  }
  if (compact) add(codes_of(*compact, sample, "compact codes"));
  if (catalog.has_model()) {
    std::vector<Vectors> pictures = of_pictures(device, catalog, sample, progress);
    device.set_parameters(catalog.model().parameters);
    for (Vectors& vectors : pictures) add(std::exchange(vectors, Vectors()));  // freed one by one
    if (pictures.empty()) {
      evaluation.missing.push_back(catalog.folder() +
                                   " lacks pictures, so pixels and an untrained encoder have "
                                   "nothing to look at");
    }
  }
  evaluation.codes.push_back({"chance", 0, LabelJudge(sample.labels).chance(), {}});
  return evaluation;
}

}  // namespace lookalike
