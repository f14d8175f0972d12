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
class GroupedCodes {
 public:
  explicit GroupedCodes(uint64_t seed)
      : points_(random_floats(9 * kCodeLength, -1, 1, seed)),
        axes_(random_floats(static_cast<int64_t>(kAxes) * kCodeLength, -1, 1, seed + 1)),
        random_(seed + 2) {}

  // Rows in order, from 0.
  std::vector<float> next() {
    const auto point = points_.begin() + row_ % 9 * kCodeLength;
    std::vector<float> code(point, point + kCodeLength);
    for (std::size_t a = 0; a < kAxes; ++a) {
      const auto weight = static_cast<float>(random_.between(-0.5, 0.5) / (1.0 + static_cast<double>(a)));
      const float* axis = axes_.data() + a * std::size_t{kCodeLength};
      for (std::size_t i = 0; i < code.size(); ++i) code[i] += weight * axis[i];
    }
    if (row_ == 5) twin_ = code;
    if (row_ == 900) code = twin_;
    ++row_;
    return code;
  }

 private:
  static constexpr std::size_t kAxes = 20;
  std::vector<float> points_, axes_, twin_;
  Random random_;
  int64_t row_ = 0;
};

inline void leave_as_it_is(int64_t, CatalogItem&) {}

// describe(row, item) may give it a label and columns. Memory: a shard.
template <class Describe = decltype(&leave_as_it_is)>
void make_grouped_catalog(const std::string& folder, int64_t rows, int64_t shard_rows, uint64_t seed,
                          const Describe& describe = leave_as_it_is) {
  GroupedCodes codes(seed);
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
      describe(r, item);
      content.items.push_back(item);
      content.thumbnails.push_back({0xFF});
      const std::vector<float> code = codes.next();
      content.codes.insert(content.codes.end(), code.begin(), code.end());
    }
    writer.write(content);
  }
  writer.finish();
}

}  // namespace lookalike::test
