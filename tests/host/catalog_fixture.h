// Small catalogs for tests: three shards with refusals, one of them without any row.
#pragma once

#include <fmt/format.h>

#include "host/catalog.h"
#include "host/ledger.h"
#include "tests/host/scratch.h"

namespace lookalike {

class CatalogTestBase : public ScratchTest {
 protected:
  static constexpr int64_t kShards = 4;
  static constexpr int64_t kListed = 12;

  static Model model(float scale = 0.001F) {
    Model model;
    model.parameters.resize(kParameterCount);
    for (std::size_t i = 0; i < model.parameters.size(); ++i)
      model.parameters[i] = scale * static_cast<float>(i);
    return model;
  }

  static Settings settings() { return {{"photo_rule", "pad #ffffff"}, {"shard_rows", "3"}, {"list", "abc"}}; }

  static CatalogItem item(int number) {
    CatalogItem item;
    item.id = fmt::format("shoe\n'\"{}\xFF\x1B[31m", number);  // any bytes but NUL
    item.path = fmt::format("/photos/\xE9/{}.jpg", number);
    item.label = number % 2 == 0 ? "" : "boots\t";
    item.content_hash = fmt::format("{:032x}", number);
    item.width = 100 + number;
    item.height = 200;
    if (number % 3 == 0) item.columns = {{"price", "9,50 \xE2\x82\xAC"}, {"na\xFFme", "latin \xE9"}};
    return item;
  }

  // Three photos a shard; of shard 0 the last is refused, of shard 2 all are.
  static ShardContent shard(int64_t shard) {
    ShardContent content;
    content.shard = shard;
    for (int number = static_cast<int>(shard) * 3; number < static_cast<int>(shard) * 3 + 3; ++number) {
      const CatalogItem one = item(number);
      if (shard == 2 || number == 2) {
        content.refusals.push_back({one.id, one.path, "cut off"});
        continue;
      }
      content.items.push_back(one);
      content.thumbnails.push_back({0xFF, 0xD8, static_cast<uint8_t>(number)});
      for (int i = 0; i < kCodeLength; ++i) content.codes.push_back(code(number, i));
    }
    return content;
  }
  // One photo each.
  static std::vector<ShardContent> pieces(const ShardContent& whole) {
    std::vector<ShardContent> all;
    for (std::size_t i = 0; i < whole.items.size(); ++i) {
      const auto first = whole.codes.begin() + static_cast<std::ptrdiff_t>(i) * kCodeLength;
      all.push_back(
          {whole.shard, false, {whole.items[i]}, {first, first + kCodeLength}, {whole.thumbnails[i]}, {}});
    }
    for (const Refusal& refusal : whole.refusals) all.push_back({whole.shard, false, {}, {}, {}, {refusal}});
    all.back().ends_shard = true;
    return all;
  }
  static float code(int number, int i) { return static_cast<float>(number) + static_cast<float>(i) / 4096; }

  static CatalogWriter writer(const std::string& folder, bool force = false) {
    return {folder, model(), settings(), kListed, kShards, force};
  }

  // Goes on where the folder is and ends the catalog.
  static void finish(const std::string& folder, bool force = false) {
    CatalogWriter catalog = writer(folder, force);
    for (int64_t s = 0; s < kShards; ++s) {
      if (!catalog.finished(s)) catalog.write(shard(s));
    }
    catalog.finish();
  }

  static std::string dump(const std::string& folder) {
    const Database database(folder + "/catalog.sqlite", Database::Access::kRead);
    std::string text = database.schema();
    for (const char* sql : {"SELECT quote(name) || quote(value) FROM settings ORDER BY 1",
                            "SELECT shard || quote(file) || rows || '/' || refused || quote(codes_checksum) "
                            "|| items_checksum || "
                            "thumbs_checksum FROM shards ORDER BY 1",
                            "SELECT shard || '/' || \"row\" || quote(id) || quote(path) || content_hash || "
                            "width || '/' || height || "
                            "quote(label) || quote(columns) FROM items ORDER BY 1",
                            "SELECT shard || '/' || position || quote(id) || quote(path) || quote(reason) "
                            "FROM refusals ORDER BY 1"}) {
      Statement statement(database, sql);
      while (statement.step()) text += statement.text(0) + "\n";
    }
    return text;
  }

  // What "the same bytes" of two catalogs means.
  static std::string fingerprint(const std::string& folder) {
    std::string text = dump(folder) + bytes_of(folder + "/model.safetensors");
    for (const std::string& name : tree(folder + "/codes"))
      text += name + bytes_of(folder + "/codes/" + name);
    return text;
  }
};

}  // namespace lookalike
