// Exact search of a catalog's codes in memory, for bench/peers: prints one JSON object a line, first for
// building the sketches, then one for each line "QUERIES SECONDS" read from standard input.
//   search_rate CATALOG -k 10 --threads 2 [--rows N]
// Query i is the code of row 7919 i mod rows; a line's searches are repeated, with the queries that follow,
// for SECONDS and their median is printed. numbers 0: the plain scan, without sketches.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/huge_pages.h"
#include "engine/nearest.h"
#include "engine/sketch_plan.h"
#include "engine/sketch_search.h"
#include "engine/sketch_size.h"
#include "host/catalog.h"

namespace lookalike {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string catalog;
  int64_t k = 10, rows = 0, numbers = 384, bytes = 0;
  int threads = 0;
};

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::span<const float> some_codes(const std::vector<float>& codes, int64_t first, int64_t count) {
  return std::span(codes).subspan(static_cast<std::size_t>(first * kCodeLength),
                                  static_cast<std::size_t>(count * kCodeLength));
}

std::vector<float> read_codes(const Options& options) {
  const CatalogReader catalog(options.catalog);
  const int64_t rows = options.rows > 0 ? std::min(options.rows, catalog.rows()) : catalog.rows();
  std::vector<float> codes;
  codes.reserve(static_cast<std::size_t>(rows * kCodeLength));
  prefer_huge_pages(codes.data(), static_cast<int64_t>(codes.capacity() * sizeof(float)));
  catalog.for_each_block(1024, [&](int64_t first, std::span<const float> block) {
    const int64_t wanted = std::clamp<int64_t>(rows - first, 0, std::ssize(block) / kCodeLength);
    codes.insert(codes.end(), block.begin(), block.begin() + wanted * kCodeLength);
  });
  return codes;
}

struct Sketched {
  std::unique_ptr<SketchPlan> plan;
  std::vector<SketchBlockStorage> blocks;
  std::vector<int8_t> fine;  // (rows, size)
};

Sketched build(const std::vector<float>& codes, const Options& options, ThreadPool& pool) {
  constexpr int64_t kSample = 1815;  // as host/sketch_build.cpp does for these codes
  const int64_t rows = std::ssize(codes) / kCodeLength;
  std::vector<float> sample;
  for (int64_t i = 0; i < std::min(kSample, rows); ++i) {
    const auto code = some_codes(codes, i * rows / std::min(kSample, rows), 1);
    sample.insert(sample.end(), code.begin(), code.end());
  }
  Sketched sketched;
  Sketcher sketcher(fit_projection(sample, kCodeLength, options.numbers - 1, pool));
  const int64_t bytes = options.bytes > 0 ? options.bytes : choose_sketch_bytes(sketcher, sample, rows, pool);
  if (bytes == 0) return sketched;  // the plain scan is as fast
  sketched.plan =
      std::make_unique<SketchPlan>(plan_sketches(std::move(sketcher).projection(), sample, bytes, pool));
  const int64_t size = sketched.plan->sketcher.size();
  std::vector<float> sketches(static_cast<std::size_t>(kSketchBlockRows * size));
  std::vector<double> errors(static_cast<std::size_t>(kSketchBlockRows));
  for (int64_t first = 0; first < rows; first += kSketchBlockRows) {
    const int64_t count = std::min(kSketchBlockRows, rows - first);
    const auto some = std::span(sketches).first(static_cast<std::size_t>(count * size));
    const auto errors_of_some = std::span(errors).first(static_cast<std::size_t>(count));
    sketch_block(sketched.plan->sketcher, some_codes(codes, first, count), pool, some, errors_of_some);
    SketchBlockStorage block =
        pack_sketches(some, errors_of_some, sketched.plan->byte_sketcher, sketched.plan->fine_sketcher);
    sketched.fine.insert(sketched.fine.end(), block.fine.begin(), block.fine.end());
    block.fine = {};
    sketched.blocks.push_back(std::move(block));
  }
  return sketched;
}

int measure(const Options& options) {
  const std::vector<float> codes = read_codes(options);
  const int64_t rows = std::ssize(codes) / kCodeLength;
  ThreadPool pool(options.threads > 0 ? options.threads : usable_cores());
  const auto start = Clock::now();
  const Sketched sketched = options.numbers > 0 ? build(codes, options, pool) : Sketched();
  fmt::print("{{\"rows\": {}, \"build_seconds\": {:.4f}, \"bytes\": {}}}\n", rows, since(start),
             sketched.plan ? sketched.plan->byte_sketcher.numbers() : 0);
  std::fflush(stdout);

  SketchedCatalog catalog;
  if (sketched.plan) {
    catalog.sketcher = &sketched.plan->sketcher;
    catalog.byte_sketcher = &sketched.plan->byte_sketcher;
    catalog.fine_sketcher = &sketched.plan->fine_sketcher;
  }
  catalog.rows = rows;
  catalog.block = [&](int64_t block, std::vector<uint8_t>&) {
    return sketched.blocks[static_cast<std::size_t>(block)].view();
  };
  catalog.fine = [&](int64_t row, std::span<int8_t>) {
    return sketched.fine.data() + row * sketched.plan->sketcher.size();
  };
  catalog.code = [&](int64_t row, std::span<float>) { return codes.data() + row * kCodeLength; };

  int64_t count = 0;
  for (double seconds = 0; std::cin >> count >> seconds;) {
    std::vector<double> times;
    std::vector<Neighbour> first;
    double measured = 0, searches = 0;
    // Other queries each time: a single one would be timed with its rows in the caches.
    for (const auto began = Clock::now(); times.empty() || since(began) < seconds; ++searches) {
      std::vector<float> queries;
      for (int64_t q = 0; q < count; ++q) {
        const auto code = some_codes(codes, (std::ssize(times) * count + q) * 7919 % rows, 1);
        queries.insert(queries.end(), code.begin(), code.end());
      }
      const auto start_of_one = Clock::now();
      TopK best(count, options.k);
      if (sketched.plan) {
        measured += static_cast<double>(nearest_by_sketch(catalog, queries, {}, best, pool));
      } else {
        SearchBlock block;
        block.queries = queries;
        block.rows = codes;
        nearest_on_cpu(block, best, pool);
      }
      times.push_back(since(start_of_one));
      if (first.empty()) first = best.take(0);
    }
    std::sort(times.begin(), times.end());
    std::vector<int64_t> found;
    for (const Neighbour& neighbour : first) found.push_back(neighbour.row);
    fmt::print("{{\"queries\": {}, \"milliseconds\": {:.4f}, \"measured\": {:.1f}, \"first\": [{}]}}\n",
               count, times[times.size() / 2] * 1e3, measured / searches / static_cast<double>(count),
               fmt::join(found, ", "));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace lookalike

int main(int argc, char** argv) {
  lookalike::Options options;
  CLI::App app("Exact search of a catalog's codes in memory.");
  app.add_option("catalog", options.catalog, "made by encode")->required();
  app.add_option("-k", options.k, "neighbours")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--numbers", options.numbers, "of a sketch, 2 to 2,889; 0: none")
      ->check(CLI::Range(0, 2889))
      ->capture_default_str();
  app.add_option("--bytes", options.bytes, "of a sketch in 8 bits; 0: chosen")->capture_default_str();
  app.add_option("--rows", options.rows, "the first rows alone; 0: all")->capture_default_str();
  app.add_option("--threads", options.threads, "0: every core")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return lookalike::measure(options);
  } catch (const lookalike::Error& error) {
    fmt::print(stderr, "search_rate: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
