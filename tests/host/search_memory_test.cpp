#include "host/search_memory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <tuple>

#include "engine/sketch_search.h"
#include "host/catalog_search.h"
#include "host/memory.h"
#include "host/row_filter.h"
#include "host/sketch_build.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

SearchDemand demand(int64_t rows, int64_t at_once, int64_t k, int64_t numbers) {
  SearchDemand d;
  d.rows = rows;
  d.dimension = kCodeLength;
  d.k = k;
  d.at_once = at_once;
  d.sketch_numbers = numbers;
  d.block_bytes = 4096 * (numbers + 1);
  d.threads = 2;
  return d;
}

TEST(SearchMemory, StaysWithinItsBudget) {
  for (const int64_t rows : {int64_t{1000}, int64_t{10'000'000}}) {
    for (const int64_t k : {int64_t{10}, int64_t{1} << 40}) {
      for (const int64_t numbers : {0, 128}) {
        const SearchDemand d = demand(rows, 4096, k, numbers);
        for (int64_t budget = 20 * kMiB; budget < 100'000 * kMiB; budget = budget * 5 / 4) {
          const int64_t least = 30 * kMiB + search_bytes(d, 1, 64);
          if (budget < least) {
            expect_error(ExitCode::kUsage, "--memory", [&] { plan_search_memory(d, budget, 30 * kMiB); });
            continue;
          }
          if (budget < least + 4 * kMiB) continue;
          const SearchMemory plan = plan_search_memory(d, budget, 30 * kMiB);
          EXPECT_GE(plan.spare, 0);
          EXPECT_GE(plan.at_once, 1);
          EXPECT_LE(30 * kMiB + search_bytes(d, plan.at_once, plan.block_rows) + plan.spare, budget);
        }
      }
    }
  }
  EXPECT_EQ(plan_search_memory(demand(1000, 4096, 10, 128), 4096 * kMiB, 0).at_once, 4096);
}

// A call may have fewer queries than are planned at once.
TEST(SearchMemory, FewerQueriesNeverTakeMore) {
  for (const int64_t k : {10, 10'000}) {
    for (const int threads : {1, 2, 32}) {
      SearchDemand d = demand(70'000, 4096, k, 128);
      d.threads = threads;
      for (int64_t queries = 1; queries < 1000; ++queries) {
        ASSERT_LT(search_bytes(d, queries, 64), search_bytes(d, queries + 1, 64)) << queries;
      }
      // Lists and candidates of each thread for the most queries that are few.
      const int64_t few = kSketchQueriesAThread * threads - 1;
      EXPECT_GT(search_bytes(d, 4096, 64), few * threads * (48 * k + kSketchWaitingBytes));
    }
  }
}

TEST(SearchMemory, CountsWhatChoosesTheRows) {
  SearchDemand d = demand(100'000'000, 64, 10, 128);
  const int64_t least = least_search_memory(d, 0);
  const SearchMemory all = plan_search_memory(d, 4096 * kMiB, 0);
  d.beside = RowFilter::bytes(d.rows, true, true);
  EXPECT_GE(d.beside, 5 * d.rows);  // a byte and a number of 4
  EXPECT_EQ(least_search_memory(d, 0), least + d.beside);
  const SearchMemory some = plan_search_memory(d, 4096 * kMiB + d.beside, 0);
  EXPECT_EQ(some.spare, all.spare);
  EXPECT_EQ(some.at_once, all.at_once);
  EXPECT_EQ(RowFilter::bytes(d.rows, false, false), 0);
  EXPECT_GE(RowFilter::bytes(d.rows, true, false), d.rows);
  EXPECT_GE(RowFilter::bytes(d.rows, false, true), 4 * d.rows);
}

TEST(SearchMemory, NamesWhatIsEnough) {
  const SearchDemand d = demand(70'000, 4096, 10, 128);
  std::string text;
  try {
    plan_search_memory(d, kMiB, 50 * kMiB);
  } catch (const Error& error) {
    text = error.what();
  }
  const std::size_t at = text.find("take ");
  ASSERT_NE(at, std::string::npos) << text;
  const int64_t named = std::stoll(text.substr(at + 5)) * kMiB;
  plan_search_memory(d, named, 54 * kMiB);  // a little more may be taken the next time
  EXPECT_LT(named, 150 * kMiB);
}

int64_t peak_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && file >> kib) return kib * 1024;
  }
  return -1;
}

// In a process of its own, whose peak begins where it is forked: a catalog three times as large as the
// budget.
class SearchPeakTest : public ScratchTest {
 protected:
  static constexpr int64_t kRows = 20'000;  // 231 MB

  // The exit code: 0 where the peak was below the budget and the answers of both ways the same.
  template <class Work>
  static int in_a_process(const Work& work) {
    const pid_t child = fork();
    if (child == 0) {
      std::ofstream("/proc/self/clear_refs") << "5" << std::flush;  // the peak starts anew
      int code = 9;
      try {
        code = work();
      } catch (const std::exception& error) {
        std::fputs(error.what(), stderr);
      }
      _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_F(SearchPeakTest, ALargeCatalogStaysWithinTheBudget) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  ASSERT_EQ(in_a_process([&] {
              test::make_grouped_catalog(at("c"), kRows, 2048, 1, [](int64_t row, CatalogItem& item) {
                item.label = fmt::format("a label of its own {}", row);
              });
              return 0;
            }),
            0);
  for (const bool sketched : {false, true}) {
    if (sketched) {
      ASSERT_EQ(in_a_process([&] {
                  const CatalogReader catalog(at("c"));
                  ThreadPool pool(2);
                  const auto made = build_sketches(catalog, pool, false, [](int64_t) { return true; });
                  return made.outcome == SketchOutcome::kMade ? 0 : 1;
                }),
                0);
    }
    for (const auto& [queries, k, filtered] : {std::tuple<int64_t, int64_t, bool>{1, 10, false},
                                               {300, 10, false},
                                               {20, kAllNeighbours, false},
                                               {300, 10, true}}) {
      const int64_t length = std::min(k, kRows);
      EXPECT_EQ(in_a_process([&, queries = queries, k = k, filtered = filtered] {
                  const int64_t budget = resident_bytes() + 60 * kMiB;
                  FakeDevice device;
                  const CatalogReader catalog(at("c"));
                  CatalogSearch search(catalog, device,
                                       {.threads = 2,
                                        .queries = queries * 10,
                                        .at_once = queries,
                                        .wish = {.k = k,
                                                 .where = filtered ? "width = 10" : "",
                                                 .exclude_label_of_query = filtered,
                                                 .memory = budget}});
                  if (search.by_sketch() != sketched) return 2;
                  std::vector<float> codes(static_cast<std::size_t>(search.at_once() * kCodeLength));
                  std::vector<int64_t> rows;
                  for (int64_t done = 0; done < queries; done += search.at_once()) {
                    rows.clear();
                    for (int64_t q = 0; q < search.at_once(); ++q) {
                      if (filtered) rows.push_back((done + q) * 66 % kRows);
                      catalog.read_codes(
                          (done + q) * 66 % kRows,
                          std::span(codes).subspan(static_cast<std::size_t>(q * kCodeLength), kCodeLength));
                    }
                    for (const auto& list : search.nearest({codes, rows})) {
                      if (std::ssize(list) != length || (list[0].squared_distance == 0) == filtered) return 3;
                    }
                  }
                  if (search.held_bytes() > budget) return 4;
                  const int64_t peak = peak_bytes();
                  if (peak > budget) fmt::print(stderr, "peak {} of {} bytes\n", peak, budget);
                  return peak > 0 && peak <= budget ? 0 : 1;
                }),
                0)
          << (sketched ? "sketch, " : "plain, ") << queries << " queries" << (filtered ? ", filtered" : "");
    }
  }
}

// With the least budget that allows it.
TEST_F(SearchPeakTest, AllPairsStayWithinTheBudget) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  constexpr int64_t kSome = 2000;  // 23 MB
  ASSERT_EQ(in_a_process([&] {
              test::make_grouped_catalog(at("c"), kSome, 512, 1);
              return 0;
            }),
            0);
  for (const int64_t k : {int64_t{10}, int64_t{100}, kAllNeighbours}) {
    EXPECT_EQ(in_a_process([&] {
                FakeDevice device;
                const CatalogReader catalog(at("c"));
                SearchDemand d = demand(kSome, kSome, k, 0);
                int64_t budget = resident_bytes();
                while (!all_pairs_fit(d, budget, resident_bytes())) budget += kMiB;
                CatalogSearch search(catalog, device,
                                     {.threads = 2,
                                      .queries = kSome,
                                      .at_once = kSome,
                                      .wish = {.k = k, .memory = budget + kMiB / 2}});
                auto all = search.nearest_of_all();
                if (!all) return 2;
                for (int64_t row = 0; row < kSome; ++row) {
                  if (std::ssize(all->list(row)) != std::min(k, kSome - 1)) return 3;
                }
                const int64_t peak = peak_bytes();
                if (peak > budget) fmt::print(stderr, "peak {} of {} bytes\n", peak, budget);
                return peak > 0 && peak <= budget ? 0 : 1;
              }),
              0)
        << k;
  }
  const SearchDemand few = demand(kSome, kSome, 10, 0),
                     many = demand(int64_t{1} << 40, 1, int64_t{1} << 62, 0);
  EXPECT_FALSE(all_pairs_fit(few, 0, 0));
  EXPECT_FALSE(all_pairs_fit(few, kSome * kCodeLength * 4, 0)) << "no room for lists";
  EXPECT_FALSE(all_pairs_fit(few, 100 * kMiB, 80 * kMiB)) << "what is taken counts";
  EXPECT_FALSE(all_pairs_fit(many, int64_t{1} << 62, 0));
}

}  // namespace
}  // namespace lookalike
