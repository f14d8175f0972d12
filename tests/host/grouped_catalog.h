// Catalogs of a thousand rows and more, grouped as products are.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "host/catalog.h"
#include "tests/support/inputs.h"

namespace lookalike::test {

// Row r is near point r mod 9; rows 5 and 900, where there are so many, are equal.
inline std::vector<float> grouped_codes(int64_t rows, uint64_t seed) {
  const std::vector<float> points = random_floats(9 * kCodeLength, -1, 1, seed);
  const std::vector<float> axes = random_floats(20 * kCodeLength, -1, 1, seed + 1);
  Random random(seed + 2);
  std::vector<float> codes;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<float> code(points.begin() + r % 9 * kCodeLength, points.begin() + (r % 9 + 1) * kCodeLength);
    for (std::size_t a = 0; a < 20; ++a) {
      const auto weight = static_cast<float>(random.between(-0.5, 0.5) / (1.0 + static_cast<double>(a)));
      for (std::size_t i = 0; i < code.size(); ++i)
        code[i] += weight * axes[a * std::size_t{kCodeLength} + i];
    }
    if (r == 900) std::copy_n(codes.begin() + 5 * kCodeLength, kCodeLength, code.begin());
    codes.insert(codes.end(), code.begin(), code.end());
  }
  return codes;
}

inline void make_grouped_catalog(const std::string& folder, int64_t rows, int64_t shard_rows, uint64_t seed) {
  const std::vector<float> codes = grouped_codes(rows, seed);
  Model model;
  model.parameters.assign(std::size_t{kParameterCount}, 0.5F);
  const int64_t shards = (rows + shard_rows - 1) / shard_rows;
  CatalogWriter writer(folder, model, {}, rows, shards, false);
  for (int64_t s = 0; s < shards; ++s) {
    ShardContent content;
    content.shard = s;
    for (int64_t r = s * shard_rows; r < std::min(rows, (s + 1) * shard_rows); ++r) {
      CatalogItem item;
      item.id = fmt::format("item {}", r);
      item.path = fmt::format("/photos/{}.jpg", r);
      item.content_hash = fmt::format("{:032x}", r);
      item.width = item.height = 10;
      content.items.push_back(item);
      content.thumbnails.push_back({0xFF});
      content.codes.insert(content.codes.end(), codes.begin() + r * kCodeLength,
                           codes.begin() + (r + 1) * kCodeLength);
    }
    writer.write(content);
  }
  writer.finish();
}

}  // namespace lookalike::test
