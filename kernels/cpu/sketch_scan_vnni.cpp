#include "kernels/cpu/sketch_scan_vnni.h"

#include <hwy/base.h>

#include <array>
#include <cstring>
#include <utility>

#if HWY_ARCH_X86

#include <immintrin.h>

namespace lookalike::cpu {

bool has_byte_products() {
  static const bool has =
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  return has;
}

}  // namespace lookalike::cpu

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vnni")

namespace lookalike::cpu {
namespace {

// 24 sums, 4 vectors of rows and 1 query in 32 registers.
constexpr int kTileQueries = 6;
constexpr int kVectors = 4;
constexpr int kLanes = 16;
static_assert(kVectors * kLanes == kSketchGroup);

inline __m512i four_of_one(const int8_t* query) {
  int32_t four;
  std::memcpy(&four, query, sizeof four);
  return _mm512_set1_epi32(four);
}

// Of the scores (64) of one query.
inline SketchHit* keep(const int32_t* scores, int32_t least, int32_t query, SketchHit* hits) {
  const __m512i lowest = _mm512_set1_epi32(least);
  uint64_t kept = 0;
  for (int v = 0; v < kVectors; ++v) {
    const __mmask16 some = _mm512_cmpge_epi32_mask(_mm512_load_si512(scores + v * kLanes), lowest);
    kept |= static_cast<uint64_t>(some) << (v * kLanes);
  }
  for (; kept != 0; kept &= kept - 1) {
    const int32_t row = __builtin_ctzll(kept);
    *hits++ = {scores[row], query, row};
  }
  return hits;
}

// As many queries as there are numbers kQuery against the whole group. Every index is a constant where it
// stands: with loops in their place GCC 12 keeps the sums in memory, at three times the time.
template <int... kQuery>
inline SketchHit* scan_tile(std::integer_sequence<int, kQuery...>, const int8_t* queries, int32_t first_query,
                            int64_t n, const uint8_t* group, const int32_t* half, const int32_t* least,
                            SketchHit* hits) {
  const __m512i start[kVectors] = {_mm512_loadu_si512(half), _mm512_loadu_si512(half + kLanes),
                                   _mm512_loadu_si512(half + 2 * kLanes),
                                   _mm512_loadu_si512(half + 3 * kLanes)};
  struct OfQuery {
    __m512i a, b, c, d;
  };
  OfQuery sums[sizeof...(kQuery)] = {((void)kQuery, OfQuery{start[0], start[1], start[2], start[3]})...};
  const int8_t* first = queries + first_query * n;
  for (int64_t i = 0; i < n; i += 4) {
    const uint8_t* rows = group + i * kSketchGroup;
    const __m512i a = _mm512_loadu_si512(rows), b = _mm512_loadu_si512(rows + 64);
    const __m512i c = _mm512_loadu_si512(rows + 128), d = _mm512_loadu_si512(rows + 192);
    const auto add = [&](OfQuery& sum, __m512i query) {
      sum.a = _mm512_dpbusd_epi32(sum.a, a, query);
      sum.b = _mm512_dpbusd_epi32(sum.b, b, query);
      sum.c = _mm512_dpbusd_epi32(sum.c, c, query);
      sum.d = _mm512_dpbusd_epi32(sum.d, d, query);
    };
    (add(sums[kQuery], four_of_one(first + kQuery * n + i)), ...);
  }
  // By way of memory: kept in registers for the comparisons as well, GCC 12 moves the sums in every step, at
  // twice the time.
  alignas(64) int32_t scores[sizeof...(kQuery)][kSketchGroup];
  const auto store = [&](const OfQuery& sum, int32_t* of_query) {
    _mm512_store_si512(of_query, sum.a);
    _mm512_store_si512(of_query + kLanes, sum.b);
    _mm512_store_si512(of_query + 2 * kLanes, sum.c);
    _mm512_store_si512(of_query + 3 * kLanes, sum.d);
  };
  (store(sums[kQuery], scores[kQuery]), ...);
  ((hits = keep(scores[kQuery], least[first_query + kQuery], first_query + kQuery, hits)), ...);
  return hits;
}

template <int kCount>
SketchHit* scan_tile(const int8_t* queries, int32_t first_query, int64_t n, const uint8_t* group,
                     const int32_t* half, const int32_t* least, SketchHit* hits) {
  return scan_tile(std::make_integer_sequence<int, kCount>(), queries, first_query, n, group, half, least,
                   hits);
}

}  // namespace

int64_t scan_by_byte_products(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                              const int32_t* half, const int32_t* least, SketchHit* hits) {
  SketchHit* end = hits;
  const auto count = static_cast<int32_t>(query_count);
  int32_t q = 0;
  for (; q + kTileQueries <= count; q += kTileQueries) {
    end = scan_tile<kTileQueries>(queries, q, n, group, half, least, end);
  }
  for (; q + 2 <= count; q += 2) end = scan_tile<2>(queries, q, n, group, half, least, end);
  if (q < count) end = scan_tile<1>(queries, q, n, group, half, least, end);
  return end - hits;
}

}  // namespace lookalike::cpu

HWY_POP_ATTRIBUTES

#else

namespace lookalike::cpu {

bool has_byte_products() { return false; }

int64_t scan_by_byte_products(const int8_t*, int64_t, int64_t, const uint8_t*, const int32_t*, const int32_t*,
                              SketchHit*) {
  return 0;
}

}  // namespace lookalike::cpu

#endif
