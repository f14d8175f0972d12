#include "host/catalog_checks.h"

#include "host/compact_run.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

class CatalogChecksTest : public ScratchTest {
 protected:
  // The first of two shards, and no end.
  void make_unfinished() const {
    Model model;
    model.parameters.assign(std::size_t{kParameterCount}, 0.5F);
    CatalogWriter writer(at("c"), model, {}, 2, 2, false);
    ShardContent content;
    CatalogItem item;
    item.id = item.path = "a";
    item.content_hash = std::string(32, '0');
    item.width = item.height = 1;
    content.items = {item};
    content.codes.assign(std::size_t{kCodeLength}, 1);
    content.thumbnails = {{0xFF}};
    writer.write(content);
  }
};

TEST_F(CatalogChecksTest, WhatNeedsAWholeCatalogTakesNoPart) {
  make_unfinished();
  const CatalogReader catalog(at("c"));
  require_items(catalog);
  EXPECT_NE(unfinished_warning(catalog, "searched").find("1 of 2 photos are searched"), std::string::npos);
  expect_error(ExitCode::kNoInput, "is not finished, run encode", [&] { require_finished(catalog); });
  expect_error(ExitCode::kNoInput, "is not finished, run encode", [&] { require_compactable(catalog, 1); });
}

}  // namespace
}  // namespace lookalike
