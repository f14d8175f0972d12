#include "engine/label_measures.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lookalike {
namespace {

void add_to(LabelMeasures& sum, const LabelMeasures& one, double weight) {
  for (std::size_t i = 0; i < kPrecisionAt.size(); ++i) sum.precision[i] += weight * one.precision[i];
  sum.average_precision += weight * one.average_precision;
}

LabelMeasures mean_of(LabelMeasures sum) {
  if (sum.queries == 0) return sum;
  LabelMeasures mean;
  mean.queries = sum.queries;
  add_to(mean, sum, 1 / static_cast<double>(sum.queries));
  return mean;
}

}  // namespace

LabelJudge::LabelJudge(std::vector<int> labels) : labels_(std::move(labels)) {
  for (const int label : labels_) {
    if (label < 0) throw std::invalid_argument("a label is no number from 0 on");
    sizes_.resize(std::max(sizes_.size(), static_cast<std::size_t>(label) + 1));
    ++sizes_[static_cast<std::size_t>(label)];
  }
  sums_.resize(sizes_.size());
}

void LabelJudge::add(int64_t query, std::span<const Neighbour> ranking) {
  if (std::ssize(ranking) != std::ssize(labels_) - 1) {
    throw std::invalid_argument("a ranking does not have every other item");
  }
  const int label = labels_[static_cast<std::size_t>(query)];
  const int64_t relevant = sizes_[static_cast<std::size_t>(label)] - 1;
  if (relevant == 0) return;
  LabelMeasures& sum = sums_[static_cast<std::size_t>(label)];
  std::array<int64_t, kPrecisionAt.size()> hits_at{};
  double precisions = 0;  // at each hit
  int64_t hits = 0, rank = 0;
  for (const Neighbour& neighbour : ranking) {
    ++rank;
    if (labels_[static_cast<std::size_t>(neighbour.row)] != label) continue;
    ++hits;
    precisions += static_cast<double>(hits) / static_cast<double>(rank);
    for (std::size_t i = 0; i < kPrecisionAt.size(); ++i) hits_at[i] += rank <= kPrecisionAt[i] ? 1 : 0;
  }
  for (std::size_t i = 0; i < kPrecisionAt.size(); ++i) {
    sum.precision[i] +=
        static_cast<double>(hits_at[i]) / static_cast<double>(std::min(kPrecisionAt[i], rank));
  }
  sum.average_precision += precisions / static_cast<double>(relevant);
  ++sum.queries;
}

LabelMeasures LabelJudge::all() const {
  LabelMeasures total;
  for (const LabelMeasures& sum : sums_) {
    add_to(total, sum, 1);
    total.queries += sum.queries;
  }
  return mean_of(total);
}

LabelMeasures LabelJudge::of_label(int label) const {
  return mean_of(sums_.at(static_cast<std::size_t>(label)));
}

// At rank r an item is relevant with probability R / n; of the r - 1 before it each then is with
// (R - 1) / (n - 1). So E[AP] = 1/n sum over r of (1 + (r - 1) p) / r = p + (1 - p) H(n) / n.
LabelMeasures LabelJudge::chance() const {
  const auto n = static_cast<double>(std::ssize(labels_) - 1);
  double harmonic = 0;
  for (int64_t r = 1; r < std::ssize(labels_); ++r) harmonic += 1 / static_cast<double>(r);
  LabelMeasures total;
  for (const int64_t size : sizes_) {
    if (size < 2) continue;
    const auto relevant = static_cast<double>(size - 1);
    const double rest = n > 1 ? (relevant - 1) / (n - 1) : 0;
    LabelMeasures one;
    one.precision.fill(relevant / n);
    one.average_precision = rest + (1 - rest) * harmonic / n;
    add_to(total, one, static_cast<double>(size));
    total.queries += size;
  }
  return mean_of(total);
}

}  // namespace lookalike
