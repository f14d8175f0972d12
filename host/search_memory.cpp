#include "host/search_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engine/error.h"
#include "engine/sketch_search.h"

namespace lookalike {
namespace {

constexpr int64_t kMostBlockRows = 4096, kLeastBlockRows = 64;

constexpr int64_t kNeighbourBytes = 16, kGrowth = 2;
// Of a row whose pairs are compared: its squared length, its list without neighbours.
constexpr int64_t kLengthBytes = 8, kListBytes = 64;

// Hits of the scan, codes that are read and the text of results: small parts of each thread and of all.
constexpr int64_t kThreadBytes = int64_t{3} << 20, kOtherBytes = int64_t{8} << 20;

constexpr int64_t kMiB = int64_t{1} << 20;
// What the process may have taken more when it is run again.
constexpr int64_t kRoom = 4 * kMiB;

}  // namespace

int64_t search_bytes(const SearchDemand& demand, int64_t at_once, int64_t block_rows) {
  const int64_t kept = std::min(demand.k, demand.rows) + 1;
  const int64_t lists = kGrowth * kNeighbourBytes * kept + kNeighbourBytes * kept;
  // The caller's codes, and once more where queries are put together; the query's group.
  const int64_t query = 2 * demand.dimension * 4 + 2 * demand.sketch_numbers * 4 + 4 + lists;
  const int64_t threads = demand.threads;
  const int64_t waiting = demand.sketch_numbers > 0 ? kSketchWaitingBytes : 0;
  // A remainder may be few queries, for which each thread has lists of its own.
  const int64_t few = std::min(at_once, kSketchQueriesAThread * threads - 1);
  return at_once * query + few * threads * (lists + waiting) +
         std::min(at_once, kSketchQueriesAtOnce * threads) * waiting +
         threads * (kThreadBytes + demand.block_bytes + demand.dimension * 4) + kOtherBytes +
         block_rows * demand.dimension * 4;
}

int64_t least_search_memory(const SearchDemand& demand, int64_t taken) {
  return taken + kRoom + demand.beside + search_bytes(demand, 1, kLeastBlockRows);
}

SearchMemory plan_search_memory(const SearchDemand& demand, int64_t budget, int64_t taken) {
  const int64_t least = least_search_memory(demand, taken);
  if (budget < least) {
    throw usage_error(fmt::format("--memory is {}M, which is too little for this search, take {}M or more",
                                  budget / kMiB, (least + kRoom) / kMiB + 1));
  }
  const int64_t all = budget - taken - kRoom - demand.beside;
  SearchMemory plan;
  plan.block_rows = kMostBlockRows;
  while (plan.block_rows > kLeastBlockRows && plan.block_rows * demand.dimension * 4 > all / 4) {
    plan.block_rows /= 2;
  }
  plan.at_once = std::max<int64_t>(1, demand.at_once);
  while (plan.at_once > 1 && search_bytes(demand, plan.at_once, plan.block_rows) > all / 2) {
    plan.at_once /= 2;
  }
  if (search_bytes(demand, plan.at_once, plan.block_rows) > all) plan.block_rows = kLeastBlockRows;
  plan.spare = all - search_bytes(demand, plan.at_once, plan.block_rows);
  return plan;
}

bool all_pairs_fit(const SearchDemand& demand, int64_t budget, int64_t taken) {
  // A list doubles as it grows, and leaves its half behind.
  const auto kept = std::bit_ceil(static_cast<uint64_t>(std::min(demand.k, demand.rows)));
  const int64_t list = kListBytes + kNeighbourBytes * static_cast<int64_t>(kept) * 3 / 2;
  const int64_t row = demand.dimension * 4 + kLengthBytes + list;
  const int64_t all = budget - taken - kRoom - demand.beside - kOtherBytes - demand.threads * kThreadBytes -
                      kRowsReadAtOnce * demand.dimension * 4;
  return all > 0 && demand.rows <= all / row;
}

}  // namespace lookalike
