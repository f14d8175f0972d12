#include "host/sketch_build.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/sketch.h"
#include "engine/sketch_plan.h"
#include "engine/sketch_size.h"
#include "host/atomic_file.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/sketch_file.h"

namespace lookalike {
namespace {

constexpr int64_t kSample = 2048;
// Of the sample, unless fewer rows than the last.
constexpr int64_t kSampleNumbers = 5 << 20;
constexpr int64_t kLeastSample = 512;
constexpr int64_t kMostComponents = 383;
// Read at a time, beside the block that they are gathered to.
constexpr int64_t kRowsRead = 128;

struct Stop {};

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// Rows at even steps through the catalog.
std::vector<float> sample_of(const CatalogReader& catalog) {
  const int64_t d = catalog.dimension();
  const int64_t count = std::min({kSample, std::max(kLeastSample, kSampleNumbers / d), catalog.rows()});
  std::vector<float> sample(as_size(count * d));
  for (int64_t i = 0; i < count; ++i) {
    // In parts, so that no product passes 64 bits.
    const int64_t row = i * (catalog.rows() / count) + i * (catalog.rows() % count) / count;
    catalog.read_codes(row, std::span(sample).subspan(as_size(i * d), as_size(d)));
  }
  return sample;
}

// Rows of blocks that end where shards do, gathered to blocks of the sketch file.
class BlockGatherer {
 public:
  BlockGatherer(const SketchPlan& plan, SketchFileWriter& file, ThreadPool& pool)
      : plan_(plan), dimension_(plan.sketcher.projection().dimension), file_(file), pool_(pool) {
    codes_.reserve(as_size(kSketchBlockRows * dimension_));
  }

  void add(std::span<const float> codes) {
    while (!codes.empty()) {
      const std::size_t room = as_size(kSketchBlockRows * dimension_) - codes_.size();
      const auto some = codes.first(std::min(room, codes.size()));
      codes_.insert(codes_.end(), some.begin(), some.end());
      codes = codes.subspan(some.size());
      if (some.size() == room) flush();
    }
  }

  void flush() {
    const int64_t rows = std::ssize(codes_) / dimension_;
    if (rows == 0) return;
    std::vector<float> sketches(as_size(rows * plan_.sketcher.size()));
    std::vector<double> errors(as_size(rows));
    sketch_block(plan_.sketcher, codes_, pool_, sketches, errors);
    file_.add(pack_sketches(sketches, errors, plan_.byte_sketcher, plan_.fine_sketcher));
    codes_.clear();
  }

 private:
  const SketchPlan& plan_;
  int64_t dimension_;
  SketchFileWriter& file_;
  ThreadPool& pool_;
  std::vector<float> codes_;
};

// Nothing where no sketch pays.
std::optional<SketchPlan> make_plan(const CatalogReader& catalog, ThreadPool& pool,
                                    const std::function<void()>& step) {
  const std::vector<float> sample = sample_of(catalog);
  const int64_t most = std::min(kMostComponents, catalog.dimension());
  // One projection at a time: it is handed on.
  Sketcher sketcher(fit_projection(sample, catalog.dimension(), most, pool, step));
  const int64_t bytes = choose_sketch_bytes(sketcher, sample, catalog.rows(), pool);
  if (bytes == 0) return {};
  return plan_sketches(std::move(sketcher).projection(), sample, bytes, pool);
}

}  // namespace

bool may_have_sketches(const CatalogReader& catalog) {
  return catalog.kind() == CodeKind::kPlain && catalog.rows() >= kFewestSketchedRows &&
         catalog.dimension() <= kMostSketchedDimension;
}

bool should_have_sketches(const CatalogReader& catalog) {
  return may_have_sketches(catalog) && catalog.rows() >= kFewestRowsToSketchUnasked;
}

SketchReport build_sketches(const CatalogReader& catalog, ThreadPool& pool, bool force,
                            const std::function<bool(int64_t rows)>& report) {
  const std::string path = sketch_path(catalog.folder());
  if (!may_have_sketches(catalog)) {
    if (exists(path)) remove_file(path);  // of a larger catalog that was here
    return {SketchOutcome::kNone, 0, 0};
  }
  std::string why;
  if (!force) {
    if (const auto file = open_sketches(catalog, &why)) {
      return {SketchOutcome::kFresh, file->plan() == nullptr ? 0 : file->plan()->sketcher.size(),
              file->bytes()};
    }
  }
  const auto stop_if_asked = [&] {
    if (!report(0)) throw Stop();
  };
  std::optional<SketchPlan> plan;
  try {
    stop_if_asked();
    make_folders(sketch_folder(catalog.folder()));
    sweep_temporaries(sketch_folder(catalog.folder()));
    plan = make_plan(catalog, pool, stop_if_asked);
  } catch (const Stop&) {
    return {SketchOutcome::kStopped, 0, 0};
  }
  if (!plan) {
    SketchFileWriter(path, nullptr, catalog.dimension(), catalog.rows(), catalog.codes_fingerprint())
        .commit();
    return {SketchOutcome::kNonePays, 0, SketchFile(path).bytes()};
  }
  SketchFileWriter file(path, &*plan, catalog.dimension(), catalog.rows(), catalog.codes_fingerprint());
  BlockGatherer gatherer(*plan, file, pool);
  try {
    catalog.for_each_block(kRowsRead, [&](int64_t first, std::span<const float> codes) {
      if (!report(first)) throw Stop();
      gatherer.add(codes);
    });
  } catch (const Stop&) {
    return {SketchOutcome::kStopped, 0, 0};
  }
  gatherer.flush();
  file.commit();
  report(catalog.rows());
  return {SketchOutcome::kMade, plan->sketcher.size(), SketchFile(path).bytes()};
}

SketchReport make_sketches(const CatalogReader& catalog, int threads, bool force, Progress& progress) {
  ThreadPool pool(threads > 0 ? threads : usable_cores());
  return build_sketches(catalog, pool, force, [&](int64_t rows) {
    progress.update(rows, "");
    return stop_signal() == 0;
  });
}

}  // namespace lookalike
