#include "kernels/cuda/nearest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "kernels/cuda/nearest_filter.h"
#include "kernels/cuda/nearest_prepare.h"
#include "kernels/cuda/nearest_select.h"
#include "kernels/cuda/runtime.h"

namespace lookalike::cuda {
namespace {

constexpr std::int64_t kFilterFrom = 8;             // queries
constexpr std::int64_t kFilterDimension = 1 << 15;  // the bounds' slack for sums in double ends there
constexpr double kHalfLosesTooMuch = 0x1p-8;        // of the rows' length; ordinary rows lose 2^-12 of it
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

template <class Storage>
void grow(Storage& storage, std::int64_t count) {
  if (storage.size() < size(count)) {
    storage = Storage();  // the old one goes first
    storage = Storage(size(count));
  }
}

// Vectors of the host on their way to the device, padded to `pitch`.
struct Upload {
  gpu::PinnedBuffer<float> staged;
  gpu::Buffer<float> device;
  gpu::OwnedEvent copied, used;
  bool busy = false;  // `used` says when the device buffer is free
};

// What the filter keeps of a set of vectors.
struct Prepared {
  gpu::Buffer<std::uint16_t> halves;
  gpu::Buffer<float> half_lengths, residuals;
  gpu::Buffer<double> lengths;

  void grow_to(std::int64_t count, std::int64_t pitch) {
    grow(halves, count * pitch);
    grow(half_lengths, count);
    grow(residuals, count);
    grow(lengths, count);
  }
  FilterVectors out() const { return {half_lengths.data(), residuals.data(), lengths.data()}; }
};

}  // namespace

class Nearest::Work {
 public:
  explicit Work(const NearestOptions& options) : options_(options) {
    constexpr std::int64_t kMost = 1 << 22;  // what the filter's grid takes
    if (options.part_rows < 1 || options.part_rows > kMost || options.batch < 1 || options.batch > kMost)
      throw gpu::Error("nearest: part or batch is not 1 .. 2^22");
    grow(scale_, 1);
    grow(largest_, 1);
  }

  void run(const NearestBlock& block, std::int64_t k, const Limit& limit, const Emit& emit) {
    counts = {};
    const std::int64_t d = block.dimension;
    if (d < 1 || block.queries.size() % size(d) != 0 || block.rows.size() % size(d) != 0)
      throw std::logic_error("nearest: queries and rows are not (Q, dimension) and (M, dimension)");
    const auto queries = static_cast<std::int64_t>(block.queries.size()) / d;
    const auto rows = static_cast<std::int64_t>(block.rows.size()) / d;
    if (!(block.query_groups.empty() && block.row_groups.empty()) &&
        (std::ssize(block.query_groups) != queries || std::ssize(block.row_groups) != rows))
      throw std::logic_error("nearest: groups are not those of the queries and rows");
    pitch_ = (d + kFilterAlign - 1) / kFilterAlign * kFilterAlign;
    for (std::int64_t first = 0; first < queries; first += options_.batch) {
      queries_ = std::min(options_.batch, queries - first);
      stage(queries_upload_, block.queries.data() + first * d, queries_, d);
      take_groups(block, first);
      gpu::wait(compute_, queries_upload_.copied);
      const auto part = [&](std::int64_t p) {
        const std::int64_t at = p * options_.part_rows;
        stage(parts_[size(p % 2)], block.rows.data() + at * d, std::min(options_.part_rows, rows - at), d);
      };
      const std::int64_t parts = (rows + options_.part_rows - 1) / options_.part_rows;
      if (parts > 0) part(0);
      for (std::int64_t p = 0; p < parts; ++p) {
        Upload& upload = parts_[size(p % 2)];
        gpu::wait(compute_, upload.copied);
        first_row_ = p * options_.part_rows;
        rows_ = std::min(options_.part_rows, rows - first_row_);
        device_rows_ = upload.device.data();
        take_rows_choice(block);
        prepare(d);
        if (p + 1 < parts) part(p + 1);
        search_part(std::min(k, rows_), first, limit, emit);
        gpu::record(upload.used, compute_);
        upload.busy = true;
      }
    }
  }

  Counts counts;

 private:
  // Queues a copy of (count, dimension) host floats to the device on the copy stream.
  void stage(Upload& upload, const float* from, std::int64_t count, std::int64_t dimension) {
    if (upload.busy) gpu::wait_for(upload.used);
    upload.busy = false;
    grow(upload.staged, count * pitch_);
    grow(upload.device, count * pitch_);
    float* to = upload.staged.data();
    for (std::int64_t i = 0; i < count; ++i) {
      std::memcpy(to + i * pitch_, from + i * dimension, size(dimension) * sizeof(float));
      std::fill(to + i * pitch_ + dimension, to + (i + 1) * pitch_, 0.0F);
    }
    gpu::copy(upload.device.data(), to, size(count * pitch_) * sizeof(float), copy_);
    gpu::record(upload.copied, copy_);
  }

  void take_groups(const NearestBlock& block, std::int64_t first_query) {
    choice_ = {};
    if (block.query_groups.empty()) return;
    grow(query_groups_, queries_);
    gpu::copy(query_groups_.data(), block.query_groups.data() + first_query,
              size(queries_) * sizeof(std::int32_t), compute_);
    choice_.query_groups = query_groups_.data();
  }

  void take_rows_choice(const NearestBlock& block) {
    if (!block.allowed.empty()) {
      grow(allowed_, rows_);
      gpu::copy(allowed_.data(), block.allowed.data() + first_row_, size(rows_), compute_);
      choice_.allowed = allowed_.data();
    }
    if (!block.query_groups.empty()) {
      grow(row_groups_, rows_);
      gpu::copy(row_groups_.data(), block.row_groups.data() + first_row_, size(rows_) * sizeof(std::int32_t),
                compute_);
      choice_.row_groups = row_groups_.data();
    }
  }

  // Chooses this part's filter and makes what it reads of queries and rows.
  void prepare(std::int64_t dimension) {
    filter_ = options_.filter;
    if (filter_ == Filter::kAuto && (queries_ < kFilterFrom || dimension > kFilterDimension))
      filter_ = Filter::kNone;
    if (filter_ == Filter::kNone) return;
    query_side_.grow_to(queries_, pitch_);
    row_side_.grow_to(rows_, pitch_);
    if (filter_ != Filter::kFloat) {
      prepare_halves();
      if (filter_ == Filter::kAuto) filter_ = half_loses_too_much() ? Filter::kFloat : Filter::kHalf;
    }
    if (filter_ == Filter::kFloat) {
      const double error = filter_error_float(pitch_);
      prepare_float(queries_upload_.device.data(), queries_, pitch_, error, query_side_.out(), compute_);
      prepare_float(device_rows_, rows_, pitch_, error, row_side_.out(), compute_);
    }
    ++(filter_ == Filter::kFloat ? counts.float_parts : counts.half_parts);
  }

  void prepare_halves() {
    const float* queries = queries_upload_.device.data();
    const double error = filter_error_half(pitch_);
    grow(means_, pitch_);
    column_means(device_rows_, rows_, pitch_, means_.data(), compute_);
    gpu::fill(largest_.data(), 0, sizeof(float), compute_);
    largest_deviation(queries, queries_, pitch_, means_.data(), largest_.data(), compute_);
    largest_deviation(device_rows_, rows_, pitch_, means_.data(), largest_.data(), compute_);
    choose_scale(largest_.data(), scale_.data(), compute_);
    prepare_half(queries, queries_, pitch_, means_.data(), scale_.data(), error, query_side_.halves.data(),
                 query_side_.out(), compute_);
    prepare_half(device_rows_, rows_, pitch_, means_.data(), scale_.data(), error, row_side_.halves.data(),
                 row_side_.out(), compute_);
  }

  bool half_loses_too_much() {
    std::vector<float> residuals(size(rows_));
    std::vector<double> lengths(size(rows_));
    gpu::copy(residuals.data(), row_side_.residuals.data(), residuals.size() * sizeof(float), compute_);
    gpu::copy(lengths.data(), row_side_.lengths.data(), lengths.size() * sizeof(double), compute_);
    gpu::synchronize(compute_);
    double most = 0, sum = 0;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      most = std::max(most, static_cast<double>(residuals[i]));
      sum += std::sqrt(lengths[i]);
    }
    return !(most <= kHalfLosesTooMuch * sum / static_cast<double>(rows_));
  }

  // The part's k nearest, kListMost at a time: each pass takes what comes after the last one's end.
  void search_part(std::int64_t k, std::int64_t first_query, const Limit& limit, const Emit& emit) {
    const std::int64_t most = std::min(k, kListMost);
    grow(distances_, queries_ * most);
    grow(list_rows_, queries_ * most);
    grow(sizes_, queries_);
    grow(limits_, queries_);
    grow(last_distances_, queries_);
    grow(last_rows_, queries_);
    std::vector<double> limits(size(queries_)), last_distances(size(queries_), -kInfinity);
    std::vector<std::int32_t> last_rows(size(queries_), -1);
    for (std::int64_t found = 0; found < k; found += most) {
      NearestLists lists{distances_.data(), list_rows_.data(), sizes_.data(), limits_.data()};
      lists.k = std::min(most, k - found);
      for (std::int64_t q = 0; q < queries_; ++q) limits[size(q)] = limit(first_query + q);
      upload(limits_, limits);
      if (found > 0) {
        upload(last_distances_, last_distances);
        upload(last_rows_, last_rows);
        lists.last_distances = last_distances_.data();
        lists.last_rows = last_rows_.data();
      }
      gpu::fill(sizes_.data(), 0, size(queries_) * sizeof(std::int32_t), compute_);
      const bool limited =
          std::all_of(limits.begin(), limits.end(), [](double d) { return std::isfinite(d); });
      pass(lists, limited);
      ++counts.passes;
      if (!hand_over(lists, first_query, emit, last_distances, last_rows)) break;
    }
  }

  template <class T>
  void upload(const gpu::Buffer<T>& to, const std::vector<T>& from) {
    gpu::copy(to.data(), from.data(), from.size() * sizeof(T), compute_);
  }

  // Chunks that double, as limits fall; halved where a query's candidates do not fit. As many rows as there
  // are places always fit.
  void pass(const NearestLists& lists, bool limited) {
    grow(candidate_rows_, queries_ * kCandidatesMost);
    grow(candidate_distances_, queries_ * kCandidatesMost);
    grow(candidate_counts_, queries_);
    const bool filtered = filter_ != Filter::kNone;
    std::int64_t chunk = filtered && limited ? rows_ : kCandidatesMost;
    for (std::int64_t at = 0; at < rows_;) {
      const std::int64_t n = std::min(chunk, rows_ - at);
      if (filtered) {
        run_filter(at, n);
        if (!fits()) {
          chunk = std::max(kCandidatesMost, n / 2);
          ++counts.repeated;
          continue;
        }
      } else {
        upload(candidate_counts_, std::vector(size(queries_), static_cast<std::uint32_t>(n)));
        counts.measured += queries_ * n;
      }
      Candidates candidates{filtered ? candidate_rows_.data() : nullptr, candidate_counts_.data(),
                            candidate_distances_.data(), static_cast<std::int32_t>(at)};
      candidates.choice = choice_;
      measure(queries_upload_.device.data(), device_rows_, pitch_, queries_, candidates, lists, compute_);
      merge(queries_, candidates, lists, compute_);
      at += n;
      if (filtered) chunk = std::min(rows_, 2 * n);
    }
  }

  void run_filter(std::int64_t at, std::int64_t n) {
    const bool half = filter_ == Filter::kHalf;
    FilterTask task;
    task.queries = {
        half ? static_cast<const void*>(query_side_.halves.data()) : queries_upload_.device.data(),
        query_side_.half_lengths.data(), half ? query_side_.residuals.data() : nullptr,
        query_side_.lengths.data(), queries_};
    task.rows = {
        half ? static_cast<const void*>(row_side_.halves.data() + at * pitch_) : device_rows_ + at * pitch_,
        row_side_.half_lengths.data() + at, half ? row_side_.residuals.data() + at : nullptr,
        row_side_.lengths.data() + at, n};
    task.limits = limits_.data();
    task.choice = choice_.from(at);
    task.scale = half ? scale_.data() : nullptr;
    task.pitch = pitch_;
    task.error = half ? filter_error_half(pitch_) : filter_error_float(pitch_);
    task.counts = candidate_counts_.data();
    task.candidates = candidate_rows_.data();
    task.capacity = kCandidatesMost;
    gpu::fill(candidate_counts_.data(), 0, size(queries_) * sizeof(std::uint32_t), compute_);
    half ? filter_half(task, compute_) : filter_float(task, compute_);
  }

  // Whether every query's candidates found a place.
  bool fits() {
    std::vector<std::uint32_t> all(size(queries_));
    gpu::copy(all.data(), candidate_counts_.data(), all.size() * sizeof(std::uint32_t), compute_);
    gpu::synchronize(compute_);
    if (*std::max_element(all.begin(), all.end()) > kCandidatesMost) return false;
    for (const std::uint32_t count : all) counts.measured += count;
    return true;
  }

  // Emits the lists; true where some query may have more.
  bool hand_over(const NearestLists& lists, std::int64_t first_query, const Emit& emit,
                 std::vector<double>& last_distances, std::vector<std::int32_t>& last_rows) {
    std::vector<std::int32_t> sizes(size(queries_));
    std::vector<double> distances(size(queries_ * lists.k));
    std::vector<std::int32_t> rows(size(queries_ * lists.k));
    gpu::copy(sizes.data(), lists.sizes, sizes.size() * sizeof(std::int32_t), compute_);
    gpu::copy(distances.data(), lists.distances, distances.size() * sizeof(double), compute_);
    gpu::copy(rows.data(), lists.rows, rows.size() * sizeof(std::int32_t), compute_);
    gpu::synchronize(compute_);
    bool more = false;
    std::vector<std::int64_t> block_rows;
    for (std::int64_t q = 0; q < queries_; ++q) {
      const std::int64_t found = sizes[size(q)];
      const auto begin = rows.begin() + q * lists.k;
      block_rows.assign(begin, begin + found);
      for (std::int64_t& row : block_rows) row += first_row_;
      emit(first_query + q, std::span(distances).subspan(size(q * lists.k), size(found)), block_rows);
      if (found == lists.k) {
        last_distances[size(q)] = distances[size(q * lists.k + found - 1)];
        last_rows[size(q)] = begin[found - 1];
        more = true;
      } else {
        last_distances[size(q)] = kInfinity;
        last_rows[size(q)] = std::numeric_limits<std::int32_t>::max();
      }
    }
    return more;
  }

  NearestOptions options_;
  gpu::OwnedStream compute_, copy_;
  Upload queries_upload_;
  std::array<Upload, 2> parts_;
  Prepared query_side_, row_side_;
  gpu::Buffer<float> means_, largest_, scale_;
  gpu::Buffer<std::uint8_t> allowed_;
  gpu::Buffer<std::int32_t> candidate_rows_, list_rows_, sizes_, last_rows_, row_groups_, query_groups_;
  gpu::Buffer<std::uint32_t> candidate_counts_;
  gpu::Buffer<double> candidate_distances_, distances_, limits_, last_distances_;
  // Of the batch and part at hand.
  std::int64_t pitch_ = 0, queries_ = 0, rows_ = 0, first_row_ = 0;
  const float* device_rows_ = nullptr;
  RowChoice choice_;
  Filter filter_ = Filter::kNone;
};

Nearest::Nearest(const NearestOptions& options) : work_(std::make_unique<Work>(options)) {}
Nearest::~Nearest() = default;
void Nearest::run(const NearestBlock& block, std::int64_t k, const Limit& limit, const Emit& emit) {
  work_->run(block, k, limit, emit);
}
const Nearest::Counts& Nearest::counts() const { return work_->counts; }

}  // namespace lookalike::cuda
