#include "engine/sketch_size.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/distance.h"

namespace lookalike {
namespace {

constexpr int64_t kNeighbours = 10;
constexpr int64_t kQueries = 48;
constexpr int64_t kSmallest = 16;  // numbers of a sketch

// Of one core, measured on an EPYC with AVX-512: a multiply-add of the scan without sketches and of the one
// in 8 bits; one number of a fine sketch that is fetched and compared, for twice as many rows as the last
// limit lets through; one of a row.
constexpr double kPlainSeconds = 1 / 45e9;
constexpr double kByteSeconds = 1 / 200e9;
constexpr double kFineSeconds = 2.5e-10;
constexpr double kMeasureSeconds = 4.5e-10;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

// For each size, how many rows of the sample have a sketch nearer than `far`.
std::vector<int64_t> near_rows(const std::vector<float>& sketches, int64_t numbers, int64_t query, double far,
                               const std::vector<int64_t>& sizes) {
  const int64_t rows = std::ssize(sketches) / numbers;
  std::vector<int64_t> near(sizes.size());
  const float* q = sketches.data() + query * numbers;
  // A shorter sketch's last number is the length of all that it leaves out.
  const auto rest = [&](const float* sketch, int64_t first) {
    double square = 0;
    for (int64_t i = first; i < numbers; ++i)
      square += static_cast<double>(sketch[i]) * static_cast<double>(sketch[i]);
    return std::sqrt(square);
  };
  for (int64_t r = 0; r < rows; ++r) {
    if (r == query) continue;
    const float* row = sketches.data() + r * numbers;
    double square = 0;
    int64_t i = 0;
    for (std::size_t s = 0; s < sizes.size(); ++s) {
      for (; i < sizes[s] - 1; ++i) {
        const double difference = static_cast<double>(q[i]) - static_cast<double>(row[i]);
        square += difference * difference;
      }
      if (square > far) break;
      const double difference = rest(q, i) - rest(row, i);
      if (square + difference * difference <= far) ++near[s];
    }
  }
  return near;
}

}  // namespace

int64_t choose_sketch_bytes(const Sketcher& sketcher, std::span<const float> sample, int64_t rows,
                            ThreadPool& pool) {
  const int64_t d = sketcher.projection().dimension, numbers = sketcher.size();
  const int64_t sampled = std::ssize(sample) / d;
  std::vector<int64_t> sizes;
  for (int64_t size = kSmallest; size < numbers; size *= 2) sizes.push_back(size);
  sizes.push_back(numbers);
  if (sampled < 2) return 0;

  std::vector<float> sketches(as_size(sampled * numbers));
  std::vector<double> errors(as_size(sampled));
  sketcher.sketch_fast(sample, pool, sketches, errors);
  const int64_t queries = std::min(kQueries, sampled);
  const double share = static_cast<double>(sampled) / static_cast<double>(std::max(rows, sampled));
  // The sample's neighbour at this rank is about as far as the catalog's at rank 10.
  const auto rank = std::min(sampled - 1, std::max<int64_t>(1, std::llround(share * kNeighbours)));
  std::vector<std::vector<int64_t>> near(as_size(queries));
  pool.for_each(queries, [&](int64_t i, int) {
    const int64_t query = i * sampled / queries;
    std::vector<double> distances;
    for (int64_t r = 0; r < sampled; ++r) {
      if (r == query) continue;
      distances.push_back(cpu::squared_distance(sample.data() + query * d, sample.data() + r * d, d));
    }
    std::nth_element(distances.begin(), distances.begin() + rank - 1, distances.end());
    near[as_size(i)] = near_rows(sketches, numbers, query, distances[as_size(rank - 1)], sizes);
  });

  const auto dd = static_cast<double>(d), all = static_cast<double>(rows);
  int64_t best = 0;
  double least = all * dd * kPlainSeconds;  // without sketches
  std::vector<double> let_through(sizes.size());
  for (const std::vector<int64_t>& of_query : near) {
    for (std::size_t s = 0; s < sizes.size(); ++s) {
      let_through[s] += static_cast<double>(of_query[s]) / (share * static_cast<double>(queries));
    }
  }
  const double measuring = let_through.back() * dd * kMeasureSeconds;
  for (std::size_t s = 0; s < sizes.size(); ++s) {
    const double cost = all * static_cast<double>(sizes[s]) * kByteSeconds +
                        let_through[s] * static_cast<double>(numbers) * kFineSeconds + measuring;
    if (cost < least) {
      least = cost;
      best = sizes[s];
    }
  }
  return best;
}

}  // namespace lookalike
