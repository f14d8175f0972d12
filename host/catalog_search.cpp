#include "host/catalog_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/huge_pages.h"
#include "engine/nearest_pairs.h"
#include "engine/sketch_search.h"
#include "engine/thread_pool.h"
#include "host/code_rows.h"
#include "host/interrupt.h"
#include "host/memory.h"
#include "host/row_filter.h"
#include "host/search_memory.h"
#include "host/shell_word.h"
#include "host/sketch_build.h"
#include "host/sketch_file.h"

namespace lookalike {
namespace {

constexpr auto kFloat = static_cast<int64_t>(sizeof(float));

// A query measures about so many rows in full: with more queries than rows / kRowsAQuery, reading all codes
// once is less work than reading those.
constexpr int64_t kRowsAQuery = 64;

// With fewer queries each block is read about once anyway.
constexpr int64_t kHoldFrom = 256;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

struct DamagedSketches {
  std::string what;
};

void require_going_on() {
  if (stop_signal() != 0) throw SearchStopped();
}

// The codes of the catalog's first rows.
std::vector<float> first_codes(const CatalogReader& catalog, int64_t rows) {
  std::vector<float> codes;
  if (rows == 0) return codes;
  struct Enough {};
  const std::size_t numbers = as_size(rows * catalog.dimension());
  codes.reserve(numbers);
  prefer_huge_pages(codes.data(), static_cast<int64_t>(numbers) * kFloat);
  try {
    catalog.for_each_block(kRowsReadAtOnce, [&](int64_t, std::span<const float> block) {
      require_going_on();
      const auto some = block.first(std::min(block.size(), numbers - codes.size()));
      codes.insert(codes.end(), some.begin(), some.end());
      if (codes.size() == numbers) throw Enough();
    });
  } catch (const Enough&) {
    return codes;
  }
  return codes;
}

// Sketches and codes of a catalog where a search finds them: on the disk, as far as they are not held.
class SketchedCodes {
 public:
  SketchedCodes(const CatalogReader& catalog, std::unique_ptr<SketchFile> file)
      : dimension_(catalog.dimension()),
        numbers_(file->plan()->sketcher.size()),
        file_(std::move(file)),
        rows_(catalog.code_shards(), dimension_) {}

  const SketchFile& file() const { return *file_; }
  int64_t held_bytes() const {
    return std::ssize(blocks_) * file_->block_bytes() + std::ssize(fine_) + std::ssize(codes_) * kFloat;
  }

  // Keeps as much as fits into `spare` bytes: blocks of sketches, then, of the first rows, fine sketches,
  // then codes.
  void hold(const CatalogReader& catalog, int64_t spare, bool codes) {
    const int64_t blocks = std::min(file_->blocks(), spare / file_->block_bytes());
    bytes_.resize(as_size(blocks));
    for (int64_t b = 0; b < blocks; ++b) blocks_.push_back(read_block(b, bytes_[as_size(b)]));
    if (blocks < file_->blocks()) return;
    spare -= blocks * file_->block_bytes();
    const int64_t rows = std::min(catalog.rows(), spare / numbers_);
    fine_.resize(as_size(rows * numbers_));
    for (int64_t r = 0; r < rows; ++r) {
      if (r % kSketchBlockRows == 0) require_going_on();
      read_fine(r, std::span(fine_).subspan(as_size(r * numbers_), as_size(numbers_)));
    }
    if (!codes || rows < catalog.rows()) return;
    spare -= rows * numbers_;
    codes_ = first_codes(catalog, std::min(catalog.rows(), spare / (dimension_ * kFloat)));
  }

  SketchedCatalog view() const {
    SketchedCatalog sketched;
    sketched.sketcher = &file_->plan()->sketcher;
    sketched.byte_sketcher = &file_->plan()->byte_sketcher;
    sketched.fine_sketcher = &file_->plan()->fine_sketcher;
    sketched.rows = file_->rows();
    sketched.block = [this](int64_t index, std::vector<uint8_t>& scratch) {
      require_going_on();
      return index < std::ssize(blocks_) ? blocks_[as_size(index)] : read_block(index, scratch);
    };
    sketched.fine = [this](int64_t row, std::span<int8_t> scratch) -> const int8_t* {
      if (row * numbers_ < std::ssize(fine_)) return fine_.data() + row * numbers_;
      read_fine(row, scratch);
      return scratch.data();
    };
    sketched.code = [this](int64_t row, std::span<float> scratch) -> const float* {
      if (row * dimension_ < std::ssize(codes_)) return codes_.data() + row * dimension_;
      rows_.read(row, scratch);
      return scratch.data();
    };
    return sketched;
  }

 private:
  // What is read of the sketches is theirs alone, so is damage.
  template <class Read>
  static auto reading_sketches(const Read& read) {
    try {
      return read();
    } catch (const Error& error) {
      if (error.code() == ExitCode::kDamaged) throw DamagedSketches{error.what()};
      throw;
    }
  }
  SketchBlock read_block(int64_t index, std::vector<uint8_t>& scratch) const {
    return reading_sketches([&] { return file_->block(index, scratch); });
  }
  void read_fine(int64_t row, std::span<int8_t> fine) const {
    reading_sketches([&] { file_->fine(row, fine); });
  }

  int64_t dimension_, numbers_;  // of a code, of a sketch
  std::unique_ptr<SketchFile> file_;
  CodeRows rows_;
  std::vector<std::vector<uint8_t>> bytes_;  // of held blocks
  std::vector<SketchBlock> blocks_;          // held: the first ones
  std::vector<int8_t> fine_;                 // held: those of the first rows
  std::vector<float> codes_;                 // held: those of the first rows
};

}  // namespace

struct CatalogSearch::State {
  const CatalogReader& catalog;
  Device& device;
  CatalogSearchOptions options;
  std::optional<SketchedCodes> sketched;
  std::optional<ThreadPool> pool;
  SearchMemory memory;
  std::optional<RowFilter> filter;
  int64_t measured = 0;
  bool ready = false;      // what is to be held is
  bool pairs_fit = false;  // all codes and lists, into the memory

  void say(const std::string& text) const {
    if (options.notice) options.notice(text);
  }

  // "WHY: ..., what follows from it, what to do."
  void say_unusable(const std::string& why) const {
    say(fmt::format("warning: {}; every code is read instead, lookalike index -c {} makes sketches", why,
                    shell_path(catalog.folder())));
  }

  void choose_rows() {
    const NeighbourWish& wish = options.wish;
    if (wish.where.empty() && !wish.exclude_label_of_query) return;
    filter.emplace(catalog, wish.where, wish.exclude_label_of_query);
    if (filter->rows() == 0) say("warning: no photo of the catalog fulfils --where");
  }

  void open() {
    if (device.facts().kind == "cuda" || !may_have_sketches(catalog)) return;
    std::string why;
    std::unique_ptr<SketchFile> file = open_sketches(catalog, &why);
    if (!file) {
      if (catalog.complete() && (should_have_sketches(catalog) || exists(sketch_path(catalog.folder())))) {
        say_unusable(why);
      }
      return;
    }
    if (file->plan() == nullptr) return;
    sketched.emplace(catalog, std::move(file));
    pool.emplace(threads());
  }

  int threads() const { return options.threads > 0 ? options.threads : usable_cores(); }

  void plan() {
    SearchDemand demand;
    demand.rows = catalog.rows();
    demand.dimension = catalog.dimension();
    demand.k = options.wish.k;
    demand.at_once = options.at_once;
    demand.threads = threads();
    demand.beside = options.beside + RowFilter::bytes(catalog.rows(), !options.wish.where.empty(),
                                                      options.wish.exclude_label_of_query);
    if (sketched) {
      demand.sketch_numbers = sketched->file().plan()->sketcher.size();
      demand.block_bytes = sketched->file().block_bytes();
    }
    const int64_t taken = resident_bytes();
    const int64_t free = std::max(taken + free_memory_bytes() / 2, least_search_memory(demand, taken));
    const int64_t budget = options.wish.memory > 0 ? options.wish.memory : free;
    memory = plan_search_memory(demand, budget, taken);
    pairs_fit = all_pairs_fit(demand, budget, taken);
  }

  // Codes of the plain scan, in blocks of a size that suits devices and the memory.
  CodeSource plain() {
    CodeSource source;
    source.rows = catalog.rows();
    source.for_each_block = [this](const auto& visit) {
      catalog.for_each_block(memory.block_rows, [&](int64_t first_row, std::span<const float> codes) {
        watch(static_cast<double>(first_row) / static_cast<double>(catalog.rows()));
        visit(first_row, codes);
      });
    };
    return source;
  }

  void watch(double share) const {
    if (options.watch && !options.watch(share)) throw SearchStopped();
  }

  std::vector<std::vector<Neighbour>> search_rows(const SearchQueries& queries, const SearchLimits& limits) {
    CodeSource source = plain();
    if (sketched) {
      source.nearest = [this](std::span<const float> codes, const SearchLimits& wanted, TopK& best) {
        return sketched && by_sketch(codes, wanted, best);
      };
    }
    return search(device, queries, source, limits);
  }

  bool by_sketch(std::span<const float> queries, const SearchLimits& limits, TopK& best) {
    watch(0);
    try {
      if (!ready && options.queries >= kHoldFrom) {
        sketched->hold(catalog, memory.spare, options.queries * kRowsAQuery >= catalog.rows());
      }
      ready = true;
      measured += nearest_by_sketch(sketched->view(), queries, {limits.allowed, limits.most, limits.groups},
                                    best, *pool);
      return true;
    } catch (const DamagedSketches& damage) {
      sketched.reset();
      say_unusable(damage.what);
      return false;
    }
  }
};

SearchLimits limits_of(const NeighbourWish& wish) {
  SearchLimits limits;
  limits.k = wish.k;
  limits.most = wish.most;
  return limits;
}

double squared_limit(double distance) {
  double square = distance * distance;
  while (std::sqrt(square) > distance) square = std::nextafter(square, 0.0);
  // Several squares have the same root; an infinite one has none.
  for (double next = std::nextafter(square, HUGE_VAL); std::sqrt(next) <= distance;
       next = std::nextafter(square, HUGE_VAL)) {
    square = next;
  }
  return square;
}

CatalogSearch::CatalogSearch(const CatalogReader& catalog, Device& device,
                             const CatalogSearchOptions& options)
    : state_(new State{catalog, device, options, {}, {}, {}, {}, 0, false, false}) {
  state_->open();
  state_->plan();
  state_->choose_rows();
}

CatalogSearch::~CatalogSearch() = default;

std::vector<std::vector<Neighbour>> CatalogSearch::nearest(const SearchQueries& queries,
                                                           const SearchLimits& limits) {
  State& state = *state_;
  if (!state.filter) return state.search_rows(queries, limits);
  std::vector<int32_t> groups;
  return state.search_rows(queries, state.filter->within(limits, queries, groups));
}

std::optional<TopK> CatalogSearch::nearest_of_all() {
  State& state = *state_;
  const NeighbourWish& wish = state.options.wish;
  if (wish.k < 1 || state.sketched || state.filter || !state.pairs_fit || state.device.facts().kind == "cuda")
    return {};
  const int64_t rows = state.catalog.rows();
  const std::vector<float> codes = first_codes(state.catalog, rows);
  TopK best(rows, std::min(wish.k, rows), wish.most);
  state.pool.emplace(state.threads());
  nearest_pairs_on_cpu(codes, state.catalog.dimension(), best, *state.pool,
                       [&](double share) { state.watch(share); });
  return best;
}

std::vector<std::vector<Neighbour>> CatalogSearch::nearest(const SearchQueries& queries) {
  return nearest(queries, limits_of(state_->options.wish));
}

int64_t CatalogSearch::at_once() const { return state_->memory.at_once; }
bool CatalogSearch::by_sketch() const { return state_->sketched.has_value(); }
int64_t CatalogSearch::held_bytes() const { return state_->sketched ? state_->sketched->held_bytes() : 0; }
int64_t CatalogSearch::measured() const { return state_->measured; }

CodeSource code_source(const CatalogReader& catalog) {
  // 4096 of the network's codes: 47 MB.
  constexpr int64_t kBlockNumbers = int64_t{3} << 22, kMostRows = 4096;
  const int64_t rows = std::clamp<int64_t>(kBlockNumbers / catalog.dimension(), 1, kMostRows);
  CodeSource source;
  source.rows = catalog.rows();
  source.for_each_block = [&catalog, rows](const auto& visit) { catalog.for_each_block(rows, visit); };
  return source;
}

}  // namespace lookalike
