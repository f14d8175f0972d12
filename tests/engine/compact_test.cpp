// Compact codes against the reference: the projection that is fitted, and what it makes of a code.
#include "engine/compact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tests/reference/compact.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using Codes = std::vector<float>;
using reference::Extended;

std::size_t as_size(int64_t n) { return static_cast<std::size_t>(n); }

CodeSource source_of(const Codes& codes, int64_t dimension, int64_t block_rows) {
  const int64_t rows = std::ssize(codes) / dimension;
  return {rows, [&codes, dimension, block_rows, rows](const auto& visit) {
            for (int64_t first = 0; first < rows; first += block_rows) {
              const int64_t count = std::min(block_rows, rows - first);
              visit(first, std::span(codes).subspan(as_size(first * dimension), as_size(count * dimension)));
            }
          }};
}

CompactProjection fit(const Codes& codes, int64_t dimension, int64_t components, int threads = 1,
                      int64_t block_rows = 7) {
  ThreadPool pool(threads);
  return fit_compact(source_of(codes, dimension, block_rows), dimension, components, pool);
}

Codes compact(const CompactProjection& projection, const Codes& codes, int threads = 1) {
  ThreadPool pool(threads);
  Codes out(codes.size() / as_size(projection.dimension) * as_size(projection.components()));
  Compactor(projection).compact(codes, pool, out);
  return out;
}

// Variances falling by half from direction to direction, about `mean`.
Codes falling(int64_t count, int64_t dimension, double mean, uint64_t seed, int64_t rank = 1000) {
  const Codes axes = test::random_floats(dimension * dimension, -1, 1, seed);
  test::Random random(seed + 1);
  Codes codes;
  for (int64_t r = 0; r < count; ++r) {
    std::vector<double> code(as_size(dimension), mean);
    for (int64_t a = 0; a < std::min(rank, dimension); ++a) {
      const double along = random.between(-1, 1) * std::pow(0.7, static_cast<double>(a));
      for (int64_t i = 0; i < dimension; ++i) {
        code[as_size(i)] += along * static_cast<double>(axes[as_size(a * dimension + i)]);
      }
    }
    codes.insert(codes.end(), code.begin(), code.end());
  }
  return codes;
}

std::vector<std::vector<Extended>> directions_of(const CompactProjection& projection) {
  std::vector<std::vector<Extended>> rows;
  const int64_t d = projection.dimension;
  for (int64_t j = 0; j < projection.components(); ++j) {
    const float* row = projection.directions.data() + j * d;
    rows.emplace_back(row, row + d);
  }
  return rows;
}

std::vector<Extended> reference_of(const CompactProjection& projection, std::span<const float> code) {
  const std::vector<Extended> mean(projection.mean.begin(), projection.mean.end());
  const std::vector<Extended> deviations(projection.deviations.begin(), projection.deviations.end());
  return reference::compact(code, mean, directions_of(projection), deviations);
}

TEST(Compact, EqualsTheReferenceToTheLastBitOfAFloat) {
  for (const int64_t dimension : {1, 3, 24, 100}) {
    for (const int64_t components : {int64_t{1}, (dimension + 1) / 2, dimension}) {
      const Codes codes = falling(31, dimension, 10, 4);
      const CompactProjection projection = fit(codes, dimension, components);
      const Codes found = compact(projection, codes);
      for (std::size_t r = 0; r < 31; ++r) {
        const auto expected =
            reference_of(projection, std::span(codes).subspan(r * as_size(dimension), as_size(dimension)));
        for (std::size_t j = 0; j < expected.size(); ++j) {
          // Half a unit in the last place of a number at most 1, and double's rounding far below it.
          ASSERT_NEAR(static_cast<double>(found[r * expected.size() + j]), static_cast<double>(expected[j]),
                      0x1p-25 * 1.01)
              << "D " << dimension << " m " << components << " row " << r << " number " << j;
        }
      }
    }
  }
}

TEST(Compact, FitFindsMeanDirectionsAndDeviations) {
  constexpr int64_t kDimension = 24, kComponents = 6;
  const Codes codes = falling(80, kDimension, 10, 9);
  const CompactProjection found = fit(codes, kDimension, kComponents);
  const auto expected = reference::principal_directions(codes, kDimension);
  for (std::size_t i = 0; i < as_size(kDimension); ++i) {
    // Two floats hold 48 bits.
    EXPECT_NEAR(found.mean[i], static_cast<double>(expected.mean[i]), 1e-13 * 11);
  }
  const auto directions = directions_of(found);
  for (std::size_t j = 0; j < as_size(kComponents); ++j) {
    Extended along = 0, square = 0;
    for (std::size_t i = 0; i < as_size(kDimension); ++i)
      along += directions[j][i] * expected.directions[j][i];
    // Neighbouring variances differ by a factor of two, so float products of 2^-24 turn a direction by
    // 2^-24 sqrt(D) 2 at most, and the cosine by half the square of that.
    EXPECT_NEAR(static_cast<double>(std::abs(along)), 1, 1e-6) << "direction " << j;
    for (std::size_t r = 0; r < 80; ++r) {
      Extended y = 0;
      for (std::size_t i = 0; i < as_size(kDimension); ++i) {
        y += directions[j][i] * (Extended{codes[r * as_size(kDimension) + i]} - expected.mean[i]);
      }
      square += y * y / 80;
    }
    EXPECT_NEAR(static_cast<double>(found.deviations[j] / std::sqrt(square)), 1, 0x1p-23)
        << "deviation " << j;
  }
}

TEST(Compact, CodesAreWhiteAndOfUnitLength) {
  constexpr int64_t kDimension = 24, kComponents = 8;
  const Codes codes = falling(200, kDimension, -3, 12);
  const CompactProjection projection = fit(codes, kDimension, kComponents);
  ThreadPool pool(1);
  std::vector<double> along(as_size(200 * kComponents));
  Compactor(projection).project(codes, pool, along);
  for (std::size_t a = 0; a < as_size(kComponents); ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      double covariance = 0;
      for (std::size_t r = 0; r < 200; ++r) {
        covariance += along[r * as_size(kComponents) + a] * along[r * as_size(kComponents) + b] / 200 /
                      static_cast<double>(projection.deviations[a] * projection.deviations[b]);
      }
      EXPECT_NEAR(covariance, a == b ? 1 : 0, 1e-5) << a << ", " << b;
    }
  }
  const Codes found = compact(projection, codes);
  for (std::size_t r = 0; r < 200; ++r) {
    double square = 0;
    for (std::size_t j = 0; j < as_size(kComponents); ++j) {
      const auto value = static_cast<double>(found[r * as_size(kComponents) + j]);
      square += value * value;
    }
    EXPECT_NEAR(square, 1, 1e-6);
  }
}

TEST(Compact, WhatHasNoDirectionIsZero) {
  // Mirrored about 10, so that the mean is 10 to the bit.
  Codes codes = falling(20, 16, 10, 5);
  const std::size_t half = codes.size();
  for (std::size_t i = 0; i < half; ++i) codes.push_back(20 - codes[i]);
  const CompactProjection projection = fit(codes, 16, 4);
  EXPECT_THAT(compact(projection, Codes(16, 10.0F)), testing::Each(0.0F)) << "the mean";

  Codes beside(16, 10.0F);
  beside[3] = std::nextafter(10.0F, 11.0F);
  EXPECT_THAT(compact(projection, beside), testing::Contains(testing::Ne(0.0F)))
      << "one unit in the last place of one number is a direction";
}

// (v, v) along (w, -w) is nothing; what its sum leaves in double is rounding, and no direction.
TEST(Compact, RoundingIsNoDirection) {
  constexpr std::size_t kHalf = 500;
  int rounded = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CompactProjection projection{
        2 * kHalf, std::vector<double>(2 * kHalf, 0.0), test::random_floats(kHalf, -0.1, 0.1, seed), {1.0F}};
    for (std::size_t i = 0; i < kHalf; ++i) projection.directions.push_back(-projection.directions[i]);
    Codes code = test::random_floats(kHalf, -10, 10, 100 + seed);
    for (std::size_t i = 0; i < kHalf; ++i) code.push_back(code[i]);
    ThreadPool pool(1);
    double along = 0;
    Compactor(projection).project(code, pool, {&along, 1});
    rounded += along != 0 ? 1 : 0;
    EXPECT_EQ(compact(projection, code), Codes{0.0F}) << seed << ": " << along;
  }
  EXPECT_GT(rounded, 0) << "no sum was rounded, so nothing was tried";
}

TEST(Compact, ComponentsBeyondTheRankAreZero) {
  constexpr int64_t kDimension = 32, kComponents = 12, kRank = 3;
  const Codes codes = falling(60, kDimension, 0, 7, kRank);
  const CompactProjection projection = fit(codes, kDimension, kComponents);
  const Codes found = compact(projection, codes);
  for (int64_t j = 0; j < kComponents; ++j) {
    EXPECT_EQ(projection.deviations[as_size(j)] > 0, j < kRank) << j;
    for (int64_t r = 0; r < 60 && j >= kRank; ++r) EXPECT_EQ(found[as_size(r * kComponents + j)], 0.0F);
  }
}

TEST(Compact, DegenerateCatalogs) {
  for (const float value : {0.0F, 0.1F, -3e38F, 1e-42F}) {
    const Codes equal(as_size(9 * 5), value);
    EXPECT_THAT(compact(fit(equal, 5, 3), equal), testing::Each(0.0F)) << value;
  }
  const Codes one = test::random_floats(5, -1, 1, 1);
  EXPECT_THAT(compact(fit(one, 5, 3), one), testing::Each(0.0F)) << "one row is its own mean";
  // Where sums of squares, and a deviation itself, pass what a float holds.
  Codes huge(as_size(4 * 8), 3e38F);
  std::fill_n(huge.begin(), 16, -3e38F);
  const Codes found = compact(fit(huge, 8, 2), huge);
  for (std::size_t r = 0; r < 4; ++r) EXPECT_NEAR(std::abs(found[2 * r]), 1, 1e-6) << r;
  EXPECT_EQ(found[0], -found[6]);
}

TEST(Compact, SameBytesForAnyThreadsAndBlocks) {
  const Codes codes = falling(90, 40, 1, 8);
  const CompactProjection one = fit(codes, 40, 7, 1, 90);
  const Codes expected = compact(one, codes, 1);
  for (const int threads : {1, 2, 3}) {
    for (const int64_t block_rows : {1, 7, 64}) {
      const CompactProjection other = fit(codes, 40, 7, threads, block_rows);
      EXPECT_EQ(other.mean, one.mean);
      EXPECT_EQ(other.directions, one.directions);
      EXPECT_EQ(other.deviations, one.deviations);
      EXPECT_EQ(compact(other, codes, threads), expected);
    }
  }
  // A code alone is what it is among others.
  for (std::size_t r = 0; r < 90; ++r) {
    const Codes alone(codes.begin() + static_cast<std::ptrdiff_t>(r * 40),
                      codes.begin() + static_cast<std::ptrdiff_t>(r * 40 + 40));
    const Codes found = compact(one, alone);
    EXPECT_TRUE(
        std::equal(found.begin(), found.end(), expected.begin() + static_cast<std::ptrdiff_t>(r * 7)));
  }
}

TEST(Compact, AStepThatThrowsEndsTheFit) {
  const Codes codes = falling(90, 40, 1, 8);
  ThreadPool pool(2);
  int steps = 0;
  const auto fit_until = [&](int last) {
    steps = 0;
    return fit_compact(source_of(codes, 40, 7), 40, 7, pool, [&] {
      if (++steps == last) throw std::runtime_error("enough");
    });
  };
  fit_until(0);
  EXPECT_GT(steps, 1);
  EXPECT_THROW(fit_until(2), std::runtime_error);
  EXPECT_EQ(steps, 2);
}

TEST(Compact, RefusesWhatDoesNotFit) {
  const Codes codes(12, 1.0F);
  EXPECT_THROW(fit(codes, 4, 0), std::invalid_argument);
  EXPECT_THROW(fit(codes, 4, 5), std::invalid_argument);
  EXPECT_THROW(fit({}, 4, 1), std::invalid_argument);
  CompactProjection projection = fit(falling(9, 4, 0, 1), 4, 2);
  projection.deviations[1] = -1;
  EXPECT_THROW(Compactor{projection}, std::invalid_argument);
  projection.deviations[1] = NAN;
  EXPECT_THROW(Compactor{projection}, std::invalid_argument);
  projection.deviations = {1, 1, 1};
  EXPECT_THROW(Compactor{projection}, std::invalid_argument);
}

}  // namespace
}  // namespace lookalike
