#include "host/npy.h"
#include "host/safetensors.h"
#include "tests/host/catalog_fixture.h"

namespace lookalike {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class VerifyTest : public CatalogTestBase {
 protected:
  void SetUp() override { finish(at("c")); }

  void expect_damaged(const std::string& part) const {
    expect_error(ExitCode::kDamaged, part, [&] { verify_artefact(at("c")); });
  }
  void change(const char* database, const std::string& sql) const {
    Database(at(database), Database::Access::kWrite).run(sql);
  }
};

TEST_F(VerifyTest, SaysWhatWasRead) {
  const auto lines = verify_artefact(at("c"));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[0], HasSubstr(at("c/model.safetensors") + "  4,963 parameters, checksum ok"));
  EXPECT_THAT(lines[1], HasSubstr("12 listed: 8 encoded, 4 refused; complete"));
  EXPECT_THAT(lines[2], HasSubstr("8 rows"));
  EXPECT_THAT(lines[3], HasSubstr("8 pictures"));

  std::filesystem::create_directory(at("m"));
  write_model(at("m/model.safetensors"), model());
  EXPECT_THAT(verify_artefact(at("m")), SizeIs(1));
  TrainingState state;
  state.parameters = model().parameters;
  write_training_state(at("m/training.safetensors"), state);
  EXPECT_THAT(verify_artefact(at("m")), SizeIs(2));
  EXPECT_THAT(verify_artefact(at("m/training.safetensors"))[0], HasSubstr("training"));
  EXPECT_THAT(verify_artefact(at("m/model.safetensors"))[0], HasSubstr("model"));
}

TEST_F(VerifyTest, AsksForAModelOrACatalog) {
  expect_error(ExitCode::kUsage, "nothing at", [&] { verify_artefact(at("none")); });
  expect_error(ExitCode::kUsage, "neither a model nor a catalog", [&] { verify_artefact(folder_); });
  put("photo.jpg", "\xFF\xD8");
  expect_error(ExitCode::kDamaged, "photo.jpg", [&] { verify_artefact(at("photo.jpg")); });
}

TEST_F(VerifyTest, TakesAnUnfinishedCatalog) {
  { writer(at("u")).write(shard(1)); }
  put("u/codes/codes_00000.npy", "published and not recorded when the run was killed");
  EXPECT_THAT(verify_artefact(at("u"))[1], HasSubstr("1 of 4 shards"));
}

// Every byte of the arrays and the model; in the databases a flip may hit bytes that mean nothing, and then
// nothing may have changed.
TEST_F(VerifyTest, FindsAFlippedBitInEveryFile) {
  const std::string before = fingerprint(at("c"));
  int found = 0;
  for (const std::string& name : tree(at("c"))) {
    const std::string path = "c/" + name;
    if (!std::filesystem::is_regular_file(at(path))) continue;
    const std::string whole = get(path);
    const bool database = name.ends_with(".sqlite");
    const std::size_t step = database ? 61 : 499;
    for (std::size_t byte = 0; byte < whole.size(); byte += byte < 200 ? 1 : step) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      put(path, flipped);
      try {
        verify_artefact(at("c"));
        EXPECT_TRUE(database) << name << " byte " << byte;
        const CatalogReader reader(at("c"));
        EXPECT_EQ(fingerprint(at("c")), before) << name << " byte " << byte;
        for (int64_t row = 0; row < reader.rows(); ++row) ASSERT_EQ(reader.thumbnail(row).size(), 3U);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kDamaged) << name << " byte " << byte << ": " << error.what();
        ++found;
      }
    }
    put(path, whole);
    verify_artefact(at("c"));
  }
  EXPECT_GT(found, 1000);
}

TEST_F(VerifyTest, FindsACutAnywhere) {
  for (const std::string& name : tree(at("c"))) {
    const std::string path = "c/" + name;
    if (!std::filesystem::is_regular_file(at(path))) continue;
    const std::string whole = get(path);
    for (std::size_t size = 0; size < whole.size(); size += 509) {
      put(path, whole.substr(0, size));
      SCOPED_TRACE(name + " cut at " + std::to_string(size));
      expect_damaged(at("c"));
    }
    std::filesystem::remove(at(path));
    EXPECT_THROW(verify_artefact(at("c")), Error) << name;
    put(path, whole);
  }
}

TEST_F(VerifyTest, FindsWhatTheLedgerShouldNotSay) {
  const std::string ledger = get("c/catalog.sqlite");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"UPDATE items SET path = '/other' WHERE shard = 1 AND \"row\" = 2", "items of shard 1"},
      {"UPDATE items SET label = 'x' WHERE shard = 0 AND \"row\" = 0", "items of shard 0"},
      {"UPDATE items SET width = 1 WHERE shard = 3 AND \"row\" = 1", "items of shard 3"},
      {"UPDATE items SET columns = '{}' WHERE columns <> '{}'", "items of shard"},
      {"UPDATE items SET columns = '[]' WHERE shard = 1", "columns"},
      {"UPDATE items SET columns = '{\"a\":1}' WHERE shard = 1", "columns"},
      {"UPDATE items SET \"row\" = 9 WHERE shard = 1 AND \"row\" = 1", "row 1 of shard 1"},
      {"UPDATE refusals SET reason = '' WHERE shard = 2", "items of shard 2"},
      {"DELETE FROM refusals WHERE shard = 2", "shard 2"},
      {"DELETE FROM items WHERE shard = 1 AND \"row\" = 2", "shard 1"},
      {"UPDATE shards SET codes_checksum = 'x' WHERE shard = 1", "codes_00001.npy"},
      {"UPDATE shards SET rows = 2 WHERE shard = 1", "codes_00001.npy"},
      {"UPDATE shards SET refused = 2 WHERE shard = 1", "shard 1"},
      {"UPDATE shards SET thumbs_checksum = 'x' WHERE shard = 3", "pictures of shard 3"},
      {"DELETE FROM refusals WHERE shard = 2; DELETE FROM shards WHERE shard = 2", "12 listed"},
  };
  for (const auto& [sql, part] : cases) {
    SCOPED_TRACE(sql);
    put("c/catalog.sqlite", ledger);
    change("c/catalog.sqlite", sql);
    expect_damaged(part);
  }
}

TEST_F(VerifyTest, FindsAnIdThatIsEncodedAndRefused) {
  CatalogWriter catalog = writer(at("u"));
  ShardContent content = shard(0);
  content.refusals[0].id = content.items[0].id;
  catalog.write(content);
  expect_error(ExitCode::kDamaged, "encoded and refused", [&] { verify_artefact(at("u")); });
}

TEST_F(VerifyTest, FindsMissingOrOtherThumbnails) {
  const std::string thumbs = get("c/thumbs.sqlite");
  change("c/thumbs.sqlite", "DELETE FROM thumbs WHERE shard = 1 AND \"row\" = 0");
  expect_damaged("shard 1 has 2 pictures");
  put("c/thumbs.sqlite", thumbs);
  change("c/thumbs.sqlite", "UPDATE thumbs SET jpeg = x'00' WHERE shard = 3 AND \"row\" = 0");
  expect_damaged("pictures of shard 3");
  put("c/thumbs.sqlite", thumbs);
  change("c/thumbs.sqlite", "PRAGMA user_version = 3");
  expect_damaged("newer version");
  std::filesystem::remove(at("c/thumbs.sqlite"));
  expect_damaged("thumbs.sqlite: it is missing");
}

TEST_F(VerifyTest, FindsArraysThatTheLedgerDoesNotKnow) {
  put("c/codes/codes_00002.npy", npy_header(0, kCodeLength));
  expect_damaged("codes_00002.npy: the ledger does not know it");
}

TEST_F(VerifyTest, FindsShardsThatWereExchanged) {
  std::filesystem::rename(at("c/codes/codes_00001.npy"), at("c/x"));
  std::filesystem::rename(at("c/codes/codes_00003.npy"), at("c/codes/codes_00001.npy"));
  std::filesystem::rename(at("c/x"), at("c/codes/codes_00003.npy"));
  expect_damaged("codes_00001.npy: its bytes do not fit");
}

}  // namespace
}  // namespace lookalike
