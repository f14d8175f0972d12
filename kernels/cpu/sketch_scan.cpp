#include "kernels/cpu/sketch_scan.h"

#include <cstring>

#include "kernels/cpu/sketch_scan_vnni.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sketch_scan.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lookalike::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Sums = hn::CappedTag<int32_t, 16>;
using V = hn::Vec<Sums>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Sums()));

// 16 sums, 8 halves of rows and 2 of a query in 32 registers; 8, 4 and 2 in 16.
constexpr int kTileQueries = 4;
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;
constexpr int64_t kTileRows = kTileVectors * kLanes;
static_assert(kSketchGroup % kTileRows == 0);

// The same four bytes in each lane, and four in the next lane for the next row.
HWY_INLINE V four_of_one(const void* bytes) {
  int32_t four;
  std::memcpy(&four, bytes, sizeof four);
  return hn::Set(Sums(), four);
}
HWY_INLINE V four_of_each(const uint8_t* bytes) {
#if HWY_TARGET == HWY_SCALAR
  return four_of_one(bytes);
#else
  return hn::BitCast(Sums(), hn::LoadU(hn::Repartition<uint8_t, Sums>(), bytes));
#endif
}

// Four bytes to a lane: Rows unsigned, Query signed, and what adds the four products to a lane's sum.
#if HWY_TARGET == HWY_SCALAR
struct Rows {
  int32_t bytes[4];
};
using Query = Rows;
HWY_INLINE Rows rows_of(V v) {
  const auto all = static_cast<uint32_t>(hn::GetLane(v));
  Rows rows;
  for (unsigned i = 0; i < 4; ++i) rows.bytes[i] = static_cast<int32_t>(all >> (8 * i) & 255U);
  return rows;
}
HWY_INLINE Query query_of(V v) {
  Query query = rows_of(v);
  for (int32_t& byte : query.bytes) byte = static_cast<int8_t>(byte);
  return query;
}
HWY_INLINE V add_products(V sum, const Rows& rows, const Query& query) {
  int32_t total = 0;
  for (int i = 0; i < 4; ++i) total += rows.bytes[i] * query.bytes[i];
  return hn::Add(sum, hn::Set(Sums(), total));
}
#else
using Shorts = hn::Repartition<int16_t, Sums>;
using UnsignedShorts = hn::Repartition<uint16_t, Sums>;
// Bytes 0 and 2 of each lane, and 1 and 3, widened.
struct Rows {
  hn::Vec<Shorts> even, odd;
};
using Query = Rows;
HWY_INLINE Rows rows_of(V bytes) {
  const auto pairs = hn::BitCast(UnsignedShorts(), bytes);
  const auto even = hn::And(pairs, hn::Set(UnsignedShorts(), 0xFF));
  return {hn::BitCast(Shorts(), even), hn::BitCast(Shorts(), hn::ShiftRight<8>(pairs))};
}
HWY_INLINE Query query_of(V bytes) {
  const auto pairs = hn::BitCast(Shorts(), bytes);
  return {hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs)), hn::ShiftRight<8>(pairs)};
}
HWY_INLINE V pair_products(hn::Vec<Shorts> a, hn::Vec<Shorts> b) {
  auto more = hn::Zero(Sums());
  const auto some = hn::ReorderWidenMulAccumulate(Sums(), a, b, hn::Zero(Sums()), more);
  return hn::RearrangeToOddPlusEven(some, more);
}
HWY_INLINE V add_products(V sum, const Rows& rows, const Query& query) {
  return hn::Add(hn::Add(sum, pair_products(rows.even, query.even)), pair_products(rows.odd, query.odd));
}
#endif

// kQueries queries from `queries` on against kTileRows rows of the group.
template <int kQueries>
HWY_INLINE void Scores(const int8_t* HWY_RESTRICT queries, int64_t n, const uint8_t* HWY_RESTRICT group,
                       const int32_t* HWY_RESTRICT half, V (&sums)[kQueries][kTileVectors]) {
  for (int v = 0; v < kTileVectors; ++v) {
    const V start = hn::LoadU(Sums(), half + v * kLanes);
    for (int q = 0; q < kQueries; ++q) sums[q][v] = start;
  }
  for (int64_t i = 0; i < n; i += 4) {
    Rows rows[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v)
      rows[v] = rows_of(four_of_each(group + i * kSketchGroup + 4 * v * kLanes));
    for (int q = 0; q < kQueries; ++q) {
      const Query query = query_of(four_of_one(queries + q * n + i));
      for (int v = 0; v < kTileVectors; ++v) sums[q][v] = add_products(sums[q][v], rows[v], query);
    }
  }
}

template <int kQueries>
SketchHit* ScanTile(const int8_t* HWY_RESTRICT queries, int64_t first_query, int64_t n,
                    const uint8_t* HWY_RESTRICT group, const int32_t* HWY_RESTRICT half,
                    const int32_t* HWY_RESTRICT least, SketchHit* HWY_RESTRICT hits) {
  const Sums d;
  for (int64_t row = 0; row < kSketchGroup; row += kTileRows) {
    V sums[kQueries][kTileVectors];
    Scores<kQueries>(queries + first_query * n, n, group + 4 * row, half + row, sums);
    for (int q = 0; q < kQueries; ++q) {
      const int32_t lowest = least[first_query + q];
      V highest = sums[q][0];
      for (int v = 1; v < kTileVectors; ++v) highest = hn::Max(highest, sums[q][v]);
      if (hn::AllTrue(d, hn::Lt(highest, hn::Set(d, lowest)))) continue;
      int32_t scores[kTileRows];
      for (int v = 0; v < kTileVectors; ++v) hn::StoreU(sums[q][v], d, scores + v * kLanes);
      for (int64_t r = 0; r < kTileRows; ++r) {
        if (scores[r] < lowest) continue;
        *hits++ = {scores[r], static_cast<int32_t>(first_query + q), static_cast<int32_t>(row + r)};
      }
    }
  }
  return hits;
}

int64_t ScanByShorts(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                     const int32_t* half, const int32_t* least, SketchHit* hits) {
  SketchHit* end = hits;
  int64_t q = 0;
  for (; q + kTileQueries <= query_count; q += kTileQueries) {
    end = ScanTile<kTileQueries>(queries, q, n, group, half, least, end);
  }
  for (; q + 2 <= query_count; q += 2) end = ScanTile<2>(queries, q, n, group, half, least, end);
  if (q < query_count) end = ScanTile<1>(queries, q, n, group, half, least, end);
  return end - hits;
}

int64_t Scan(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group, const int32_t* half,
             const int32_t* least, SketchHit* hits) {
#if HWY_TARGET == HWY_AVX3
  if (has_byte_products()) return scan_by_byte_products(queries, query_count, n, group, half, least, hits);
#endif
  return ScanByShorts(queries, query_count, n, group, half, least, hits);
}

}  // namespace lookalike::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lookalike::cpu {

HWY_EXPORT(Scan);
HWY_EXPORT(ScanByShorts);

int64_t scan_sketches(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                      const int32_t* half, const int32_t* least, SketchHit* hits) {
  return HWY_DYNAMIC_DISPATCH(Scan)(queries, query_count, n, group, half, least, hits);
}

int64_t scan_sketches_by_shorts(const int8_t* queries, int64_t query_count, int64_t n, const uint8_t* group,
                                const int32_t* half, const int32_t* least, SketchHit* hits) {
  return HWY_DYNAMIC_DISPATCH(ScanByShorts)(queries, query_count, n, group, half, least, hits);
}

}  // namespace lookalike::cpu
#endif
