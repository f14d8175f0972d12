#include "host/moved_photos.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "host/encode_pipeline.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/ledger.h"
#include "kernels/topology.h"

namespace lookalike {
namespace {

bool has_content(const std::string& path, const std::string& content_hash, const PhotoLimits& limits) {
  try {
    return content_hash_text(read_photo_file(path, limits)) == content_hash;
  } catch (const RefusedPhoto&) {
    return false;
  }
}

bool is_refused(const std::string& path, const PhotoRule& rule, const PhotoLimits& limits) {
  std::vector<uint8_t> pixels(std::size_t{kImageBytes});
  try {
    load_photo(path, rule, limits, pixels.data());
    return false;
  } catch (const RefusedPhoto&) {
    return true;
  }
}

}  // namespace

void require_same_photos(const std::string& catalog, const std::string& root, const PhotoRule& rule,
                         const PhotoLimits& limits, const std::function<bool(int64_t done)>& report) {
  const Ledger ledger(CatalogPaths{catalog}.ledger(), Database::Access::kRead);
  int64_t done = 0;
  const auto next = [&](const std::string& path, bool same) {
    if (!same) {
      throw usage_error(
          fmt::format("{} is not the photo that {} was made from, give the same, another folder, or "
                      "--force to start over",
                      path, catalog));
    }
    if (!report(++done)) throw Interrupted(stop_signal());
  };
  for (const ShardRecord& record : ledger.shards()) {
    for (const CatalogItem& item : ledger.items(record.shard)) {
      const std::string path = path_below(root, item.path);
      next(path, has_content(path, item.content_hash, limits));
    }
    for (const Refusal& refusal : ledger.refusals(record.shard)) {
      const std::string path = path_below(root, refusal.path);
      next(path, refusal.reason == kCodeNotFinite || is_refused(path, rule, limits));
    }
  }
}

}  // namespace lookalike
