#include "host/search_queries.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "engine/error.h"
#include "host/encode_pipeline.h"
#include "host/files.h"
#include "host/ledger.h"
#include "host/photo.h"

namespace lookalike {
namespace {

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().native();
}

class Resolver {
 public:
  Resolver(const CatalogReader& catalog, Device& device) : catalog_(catalog), device_(device) {}

  void add(const std::string& name, QuerySet& set) {
    set.names.push_back(name);
    std::vector<uint8_t> pixels;
    std::optional<int64_t> row = catalog_.row_of(name);
    if (!row && !catalog_.has_model()) {
      throw usage_error(
          fmt::format("'{}' is no id of {}, and no photo can be searched for there: its codes "
                      "were imported, so no network belongs to it",
                      name, catalog_.folder()));
    }
    if (!row) {
      pixels.resize(std::size_t{kImageBytes});
      row = item_of(name, read(name, pixels));
    }
    std::vector<float> code;
    if (row) {
      pixels.clear();
      code.resize(static_cast<std::size_t>(catalog_.plain_dimension()));
      catalog_.read_plain_codes(*row, code);
    } else {
      code.resize(std::size_t{kCodeLength});
      take_precision(set);
      device_.encode(pixels, code);
    }
    set.rows.push_back(row.value_or(-1));
    set.plain.insert(set.plain.end(), code.begin(), code.end());
    const std::vector<float> compared = catalog_.comparable(std::move(code));
    set.codes.insert(set.codes.end(), compared.begin(), compared.end());
    set.pixels.push_back(std::move(pixels));
  }

 private:
  // Before the first photo is encoded.
  void take_precision(QuerySet& set) {
    if (precision_taken_) return;
    precision_taken_ = true;
    const Settings settings = catalog_.settings();
    const auto stored = settings.find(kPrecisionSetting);
    if (stored == settings.end() || stored->second != to_string(Precision::kHalf)) return;
    try {
      device_.set_precision(Precision::kHalf);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kUsage) throw;
      set.warning = fmt::format(
          "the catalog's codes are in fp16, which device {} lacks: this photo's is in float32, and distances "
          "to it are a little off",
          device_.facts().kind);
    }
  }

  // The photo's content hash, as the ledger has it.
  std::string read(const std::string& name, std::vector<uint8_t>& pixels) const {
    if (!exists(name)) {
      throw usage_error(
          fmt::format("'{}' is neither an id of the catalog nor a photo file, ids are those that "
                      "recommend lists",
                      name));
    }
    try {
      return content_hash_text(load_photo(name, catalog_.model().rule, {}, pixels.data()));
    } catch (const RefusedPhoto& refused) {
      throw no_input_error(fmt::format("{} cannot be searched for: {}", name, refused.what()));
    }
  }

  std::optional<int64_t> item_of(const std::string& file, const std::string& content_hash) const {
    const std::string asked = absolute(file);
    for (const int64_t row : catalog_.rows_with_content(content_hash)) {
      if (absolute(catalog_.item(row).path) == asked) return row;
    }
    return {};
  }

  const CatalogReader& catalog_;
  Device& device_;
  bool precision_taken_ = false;
};

}  // namespace

QuerySet resolve_queries(const std::vector<std::string>& names, const CatalogReader& catalog,
                         Device& device) {
  QuerySet set;
  Resolver resolver(catalog, device);
  for (const std::string& name : names) resolver.add(name, set);
  return set;
}

}  // namespace lookalike
