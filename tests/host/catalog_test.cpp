#include "host/catalog.h"

#include <sys/wait.h>

#include <cmath>
#include <csignal>
#include <limits>

#include "host/atomic_file.h"
#include "host/npy.h"
#include "tests/host/catalog_fixture.h"

namespace lookalike {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CatalogTest : public CatalogTestBase {};

TEST_F(CatalogTest, ReadsWhatItWrote) {
  finish(at("c"));
  const CatalogReader reader(at("c"));
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.rows(), 8);
  EXPECT_EQ(reader.model().parameters, model().parameters);
  EXPECT_EQ(reader.settings().at("photo_rule"), "pad #ffffff");
  const CatalogTotals totals = reader.totals();
  EXPECT_EQ(totals.listed, kListed);
  EXPECT_EQ(totals.encoded + totals.refused, kListed);
  EXPECT_EQ(totals.shards_done, kShards);

  const std::vector<int> numbers = {0, 1, 3, 4, 5, 9, 10, 11};
  const std::vector<CatalogItem> all = reader.all_items();
  ASSERT_EQ(all.size(), numbers.size());
  for (int64_t row = 0; row < reader.rows(); ++row) {
    const auto r = static_cast<std::size_t>(row);
    const CatalogItem wanted = item(numbers[r]);
    for (const CatalogItem& got : {all[r], reader.item(row)}) {
      EXPECT_EQ(got.row, row);
      EXPECT_EQ(got.id, wanted.id);
      EXPECT_EQ(got.path, wanted.path);
      EXPECT_EQ(got.label, wanted.label);
      EXPECT_EQ(got.content_hash, wanted.content_hash);
      EXPECT_EQ(got.width, wanted.width);
      EXPECT_EQ(got.height, wanted.height);
      EXPECT_EQ(got.columns, wanted.columns);
    }
    EXPECT_EQ(reader.row_of(wanted.id), row);
    EXPECT_EQ(reader.thumbnail(row), (std::vector<uint8_t>{0xFF, 0xD8, static_cast<uint8_t>(numbers[r])}));
    std::vector<float> got(kCodeLength);
    reader.read_codes(row, got);
    EXPECT_EQ(got[0], code(numbers[r], 0));
    EXPECT_EQ(got[2887], code(numbers[r], 2887));
  }
  EXPECT_EQ(reader.row_of("none"), std::nullopt);
  EXPECT_EQ(reader.row_of(item(2).id), std::nullopt) << "it was refused";
  EXPECT_EQ(reader.row_of(std::string("a\0b", 3)), std::nullopt);
  EXPECT_THROW(reader.item(8), std::out_of_range);
  EXPECT_THROW(reader.item(-1), std::out_of_range);
  const std::vector<Refusal> refusals = reader.refusals();
  ASSERT_EQ(refusals.size(), 4U);
  EXPECT_EQ(refusals[0].id, item(2).id);
  EXPECT_EQ(refusals[3].id, item(8).id);
  EXPECT_EQ(refusals[0].reason, "cut off");
}

TEST_F(CatalogTest, StreamsBlocksOfAnySize) {
  finish(at("c"));
  const CatalogReader reader(at("c"));
  const std::vector<int> numbers = {0, 1, 3, 4, 5, 9, 10, 11};
  for (const int64_t block : {1, 2, 3, 100}) {
    int64_t next = 0;
    reader.for_each_block(block, [&](int64_t first, std::span<const float> codes) {
      EXPECT_EQ(first, next);
      EXPECT_LE(static_cast<int64_t>(codes.size()), block * kCodeLength);
      for (std::size_t i = 0; i < codes.size(); i += kCodeLength) {
        EXPECT_EQ(codes[i + 5], code(numbers[static_cast<std::size_t>(next)], 5));
        ++next;
      }
    });
    EXPECT_EQ(next, 8);
  }
}

TEST_F(CatalogTest, IsAFolderOfPlainArraysThatStandsAlone) {
  finish(at("c"));
  EXPECT_THAT(tree(at("c")),
              ElementsAre("catalog.sqlite", "codes", "codes/codes_00000.npy", "codes/codes_00001.npy",
                          "codes/codes_00003.npy", "model.safetensors", "thumbs.sqlite"));
  EXPECT_EQ(NpyReader(at("c/codes/codes_00001.npy")).rows(), 3);
}

TEST_F(CatalogTest, ReadingLeavesNoTrace) {
  finish(at("c"));
  const auto before = tree(at("c"));
  std::filesystem::permissions(at("c"), std::filesystem::perms(0555));
  {
    const CatalogReader reader(at("c"));
    EXPECT_FALSE(reader.thumbnail(0).empty());
    EXPECT_EQ(reader.all_items().size(), 8U);
    EXPECT_EQ(tree(at("c")), before);
  }
  std::filesystem::permissions(at("c"), std::filesystem::perms(0755));
  EXPECT_EQ(tree(at("c")), before);
}

TEST_F(CatalogTest, GoesOnAfterAKillToTheSameBytes) {
  finish(at("unbroken"));
  { writer(at("c")).write(shard(3)); }
  // What a kill leaves: a shard that was published and not recorded, its thumbnails, files half written.
  put("c/codes/codes_00001.npy", npy_header(1, kCodeLength) + std::string(kCodeLength * 4, 'x'));
  put("c/codes/codes_00002.npy", "orphan of a shard that will have no file");
  put("c/codes/.codes_00000.npy.tmp-1-0", "half");
  put("c/.model.safetensors.tmp-1-0", "half");
  put("c/.lock", "process 1 on nowhere\n");
  ThumbnailStore(at("c/thumbs.sqlite"), Database::Access::kWrite).put(0, 0, {{1}, {2}, {3}, {4}, {5}});
  {
    CatalogWriter catalog = writer(at("c"));
    EXPECT_TRUE(catalog.finished(3));
    EXPECT_FALSE(catalog.finished(1));
    EXPECT_EQ(catalog.totals().encoded, 3);
    EXPECT_EQ(tree(at("c/codes")), std::vector<std::string>{"codes_00003.npy"});
  }
  finish(at("c"));
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("unbroken")));
  EXPECT_EQ(tree(at("c")), tree(at("unbroken")));
  EXPECT_NO_THROW(verify_artefact(at("c")));
  finish(at("c"));  // a finished one stays as it is
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("unbroken")));
}

// Kills at moments spread over the whole run, each time going on: what was finished stays finished.
TEST_F(CatalogTest, SurvivesKillsAnywhere) {
  finish(at("unbroken"));
  int64_t done = 0;
  for (int kill_after = 0; kill_after < 60'000; kill_after += 1'000) {
    const pid_t child = fork();
    if (child == 0) {
      finish(at("c"));
      _exit(0);
    }
    usleep(static_cast<useconds_t>(kill_after));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    try {
      const CatalogReader reader(at("c"));
      verify_artefact(at("c"));
      EXPECT_GE(reader.totals().shards_done, done);
      done = reader.totals().shards_done;
    } catch (const Error& error) {
      EXPECT_EQ(done, 0) << error.what();
    }
  }
  finish(at("c"));
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("unbroken")));
}

TEST_F(CatalogTest, ReadsPastATransactionThatWasCutOff) {
  { writer(at("c")).write(shard(0)); }
  const pid_t child = fork();
  if (child == 0) {
    Database database(at("c/catalog.sqlite"), Database::Access::kWrite);
    database.run("PRAGMA cache_size = 1; BEGIN; DELETE FROM settings;");
    for (int i = 0; i < 2000; ++i) {
      Statement insert(database, "INSERT INTO refusals VALUES (0, ?, ?, '', '')");
      insert.bind(100 + i, std::to_string(i) + std::string(100, 'x')).run();
    }
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(at("c/catalog.sqlite-journal"))) << "the fault this test is about";
  const CatalogReader reader(at("c"));
  EXPECT_EQ(reader.rows(), 2);
  EXPECT_EQ(reader.refusals().size(), 1U);
}

TEST_F(CatalogTest, IsReadWhileItIsWritten) {
  CatalogWriter catalog = writer(at("c"));
  catalog.write(shard(1));
  const CatalogReader early(at("c"));
  catalog.write(shard(0));
  const CatalogReader late(at("c"));
  EXPECT_FALSE(early.complete());
  EXPECT_EQ(early.rows(), 3);
  EXPECT_EQ(early.item(0).id, item(3).id);
  EXPECT_EQ(early.row_of(item(0).id), std::nullopt);
  EXPECT_EQ(early.all_items().size(), 3U);
  EXPECT_EQ(late.rows(), 5);
  EXPECT_EQ(late.item(0).id, item(0).id);
  EXPECT_EQ(late.row_of(item(3).id), 2);
}

TEST_F(CatalogTest, RefusesOtherSettingsByName) {
  { writer(at("c")).write(shard(0)); }
  const std::string before = fingerprint(at("c"));
  const auto open = [&](const Settings& given, const Model& other, int64_t listed, int64_t shards) {
    return [=, this] { CatalogWriter(at("c"), other, given, listed, shards, false); };
  };
  Settings other = settings();
  other["photo_rule"] = "crop #ffffff";
  expect_error(ExitCode::kUsage, "photo_rule 'pad #ffffff', not 'crop #ffffff'",
               open(other, model(), kListed, kShards));
  expect_error(ExitCode::kUsage, "--force", open(other, model(), kListed, kShards));
  other = settings();
  other["precision"] = "float16";
  expect_error(ExitCode::kUsage, "precision no value, not 'float16'", open(other, model(), kListed, kShards));
  other = settings();
  other.erase("list");
  expect_error(ExitCode::kUsage, "list 'abc', not no value", open(other, model(), kListed, kShards));
  expect_error(ExitCode::kUsage, "listed '12', not '13'", open(settings(), model(), kListed + 1, kShards));
  expect_error(ExitCode::kUsage, "shards '4', not '5'", open(settings(), model(), kListed, kShards + 1));
  expect_error(ExitCode::kUsage, "the model given now,", open(settings(), model(0.002F), kListed, kShards));
  EXPECT_EQ(fingerprint(at("c")), before);
  finish(at("c"));
}

TEST_F(CatalogTest, ForceStartsOverAndTouchesNothingElse) {
  { CatalogWriter(at("c"), model(2), {{"photo_rule", "crop"}}, 3, 1, false).write(shard(0)); }
  put("c/notes.txt", "mine");
  put("c/codes/mine.npy", "mine");
  std::filesystem::create_directory(at("c/sketch"));
  {
    CatalogWriter catalog = writer(at("c"), true);
    EXPECT_EQ(catalog.totals().shards_done, 0);
  }
  EXPECT_EQ(get("c/notes.txt"), "mine");
  EXPECT_EQ(get("c/codes/mine.npy"), "mine");
  EXPECT_FALSE(std::filesystem::exists(at("c/codes/codes_00000.npy")));
  EXPECT_EQ(CatalogReader(at("c")).model().parameters, model().parameters);
  finish(at("c"));
  EXPECT_EQ(CatalogReader(at("c")).rows(), 8);
}

TEST_F(CatalogTest, ForceStartsOverADamagedOrNewerCatalog) {
  finish(at("unbroken"));
  finish(at("c"));
  Database(at("c/catalog.sqlite"), Database::Access::kWrite).run("PRAGMA user_version = 3");
  expect_error(ExitCode::kDamaged, "newer version", [&] { finish(at("c")); });
  expect_error(ExitCode::kDamaged, "newer version", [&] { CatalogReader reader(at("c")); });
  finish(at("c"), true);
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("unbroken")));
  put("c/catalog.sqlite",
      "this is no database, though it is longer than the header of one: " + std::string(100, 'x'));
  put("c/thumbs.sqlite", "nor this");
  put("c/model.safetensors", "");
  expect_error(ExitCode::kDamaged, "catalog.sqlite", [&] { finish(at("c")); });
  finish(at("c"), true);
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("unbroken")));
}

TEST_F(CatalogTest, LeavesForeignFoldersAlone) {
  std::filesystem::create_directory(at("photos"));
  put("photos/a.jpg", "mine");
  // A model's folder has names that a catalog has too.
  std::filesystem::create_directory(at("model"));
  write_model(at("model/model.safetensors"), model());
  put("file", "mine");
  for (const bool force : {false, true}) {
    expect_error(ExitCode::kUsage, "a.jpg", [&] { writer(at("photos"), force); });
    expect_error(ExitCode::kUsage, "model.safetensors", [&] { writer(at("model"), force); });
    expect_error(ExitCode::kUsage, "not a folder", [&] { writer(at("file"), force); });
  }
  EXPECT_THAT(tree(at("photos")), ElementsAre("a.jpg"));
  EXPECT_THAT(tree(at("model")), ElementsAre("model.safetensors"));
  EXPECT_EQ(get("file"), "mine");
  std::filesystem::create_directory(at("empty"));
  EXPECT_NO_THROW(finish(at("empty")));
}

TEST_F(CatalogTest, MissingThumbnailsAreDamageWhereShardsHaveThem) {
  { writer(at("c")); }
  std::filesystem::remove(at("c/thumbs.sqlite"));
  { writer(at("c")).write(shard(0)); }  // none was finished: made again
  std::filesystem::remove(at("c/thumbs.sqlite"));
  expect_error(ExitCode::kDamaged, "thumbs.sqlite: it is missing", [&] { finish(at("c")); });
  EXPECT_FALSE(std::filesystem::exists(at("c/thumbs.sqlite")));
  put("c/thumbs.sqlite", "");
  expect_error(ExitCode::kDamaged, "thumbs.sqlite", [&] { finish(at("c")); });
  finish(at("c"), true);
  EXPECT_EQ(CatalogReader(at("c")).rows(), 8);
}

TEST_F(CatalogTest, PathsFollowTheRoot) {
  Settings settings = CatalogTest::settings();
  settings["root"] = "/here";
  ShardContent content = shard(0);
  content.items[0].path = "a/b.jpg";
  content.refusals[0].path = "c.jpg";
  {
    CatalogWriter catalog(at("c"), model(), settings, kListed, kShards, false);
    catalog.write(content);
  }
  EXPECT_EQ(CatalogReader(at("c")).item(0).path, "/here/a/b.jpg");
  EXPECT_EQ(CatalogReader(at("c")).item(1).path, content.items[1].path);  // absolute
  settings["root"] = "/there";
  CatalogWriter(at("c"), model(), settings, kListed, kShards, false).move_photos("/there");
  EXPECT_EQ(CatalogReader(at("c")).all_items()[0].path, "/there/a/b.jpg");
  EXPECT_EQ(CatalogReader(at("c")).refusals()[0].path, "/there/c.jpg");
  EXPECT_NO_THROW(verify_artefact(at("c")));
}

TEST_F(CatalogTest, OneWriterAtATime) {
  const CatalogWriter first = writer(at("c"));
  expect_error(ExitCode::kInUse, std::to_string(getpid()), [&] { writer(at("c"), true); });
}

TEST_F(CatalogTest, StoresNoCodeThatIsNotFinite) {
  CatalogWriter catalog = writer(at("c"));
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    ShardContent content = shard(1);
    content.codes[2 * kCodeLength + 7] = value;
    expect_error(ExitCode::kNonFinite, "number 7 of the code of " + item(5).id,
                 [&] { catalog.write(content); });
  }
  EXPECT_TRUE(tree(at("c/codes")).empty());
  EXPECT_FALSE(catalog.finished(1));
  catalog.write(shard(1));
}

TEST_F(CatalogTest, PiecesMakeTheShardThatTheWholeMakes) {
  finish(at("whole"));
  {
    CatalogWriter catalog = writer(at("pieces"));
    for (int64_t s = 0; s < kShards; ++s) {
      for (const ShardContent& piece : pieces(shard(s))) catalog.write(piece);
    }
    catalog.finish();
  }
  EXPECT_EQ(fingerprint(at("pieces")), fingerprint(at("whole")));
  EXPECT_NO_THROW(verify_artefact(at("pieces")));
  for (int64_t row = 0; row < 8; ++row) {
    EXPECT_EQ(CatalogReader(at("pieces")).thumbnail(row), CatalogReader(at("whole")).thumbnail(row));
  }
}

TEST_F(CatalogTest, AShardWithoutItsLastPieceLeavesNothing) {
  finish(at("whole"));
  {
    CatalogWriter catalog = writer(at("c"));
    catalog.write(pieces(shard(1))[0]);
    EXPECT_THROW(catalog.write(shard(0)), std::invalid_argument);  // which ends shard 1 too
    catalog.write(shard(0));
    catalog.write(pieces(shard(1))[0]);
    EXPECT_FALSE(catalog.finished(1));
    EXPECT_EQ(CatalogReader(at("c")).rows(), 2);
  }
  EXPECT_EQ(tree(at("c/codes")), std::vector<std::string>{"codes_00000.npy"});
  // And what a kill would leave in the thumbnails' database.
  ThumbnailStore(at("c/thumbs.sqlite"), Database::Access::kWrite).put(1, 0, {{1}, {2}, {3}, {4}, {5}});
  ThumbnailStore(at("c/thumbs.sqlite"), Database::Access::kWrite).put(2, 0, {{6}});  // all are refused now
  finish(at("c"));
  EXPECT_EQ(fingerprint(at("c")), fingerprint(at("whole")));
  EXPECT_EQ(ThumbnailStore(at("c/thumbs.sqlite"), Database::Access::kRead).rows(2), 0);
  EXPECT_NO_THROW(verify_artefact(at("c")));
}

TEST_F(CatalogTest, RefusesAnIdThatComesTwice) {
  CatalogWriter catalog = writer(at("c"));
  catalog.write(shard(0));
  ShardContent content = shard(1);
  content.items[1].id = item(0).id;
  expect_error(ExitCode::kUsage, item(0).id, [&] { catalog.write(content); });
  content = shard(1);
  content.refusals = {{"x", "", ""}, {"x", "", ""}};
  expect_error(ExitCode::kUsage, "id x", [&] { catalog.write(content); });
  content = shard(1);
  content.items[0].id = std::string("a\0b", 3);
  expect_error(ExitCode::kUsage, "NUL", [&] { catalog.write(content); });
  EXPECT_FALSE(catalog.finished(1));
  EXPECT_EQ(catalog.totals().encoded, 2);
  catalog.write(shard(1));
}

TEST_F(CatalogTest, HoldsItsCallerToTheContract) {
  CatalogWriter catalog = writer(at("c"));
  catalog.write(shard(0));
  EXPECT_THROW(catalog.write(shard(0)), std::invalid_argument);
  EXPECT_THROW(catalog.write(shard(4)), std::invalid_argument);
  EXPECT_THROW(catalog.write(shard(-1)), std::invalid_argument);
  EXPECT_THROW(catalog.finish(), std::logic_error);
  ShardContent content = shard(1);
  content.codes.pop_back();
  EXPECT_THROW(catalog.write(content), std::invalid_argument);
  content = shard(1);
  content.thumbnails.pop_back();
  EXPECT_THROW(catalog.write(content), std::invalid_argument);
  expect_error(ExitCode::kUsage, "100000", [&] { CatalogWriter(at("d"), model(), {}, 1, 100'001, false); });
  EXPECT_THROW(CatalogWriter(at("d"), model(), {{"complete", "1"}}, 1, 1, false), std::invalid_argument);
}

TEST_F(CatalogTest, NamesTheShardThatDoesNotFitTheLedger) {
  finish(at("c"));
  const std::string path = at("c/codes/codes_00001.npy");
  const std::string whole = bytes_of(path);
  const auto damaged = [&](const std::function<void()>& spoil) {
    std::filesystem::remove(path);
    spoil();
    for (const bool read : {true, false}) {
      try {
        if (read) {
          CatalogReader reader(at("c"));
        } else {
          finish(at("c"));
        }
        ADD_FAILURE() << "accepted";
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("codes_00001.npy"));
      }
    }
  };
  damaged([] {});
  damaged([&] { put("c/codes/codes_00001.npy", whole.substr(0, whole.size() - 1)); });
  damaged([&] { put("c/codes/codes_00001.npy", whole + "x"); });
  damaged([&] { put("c/codes/codes_00001.npy", bytes_of(at("c/codes/codes_00000.npy"))); });
  put("c/codes/codes_00001.npy", npy_header(3 * kCodeLength, 1) + whole.substr(128));
  expect_error(ExitCode::kDamaged, "codes_00001.npy", [&] { CatalogReader reader(at("c")); });
  put("c/codes/codes_00001.npy", whole);
  const CatalogReader reader(at("c"));
  put("c/codes/codes_00001.npy", whole.substr(0, 1000));
  expect_error(ExitCode::kDamaged, "codes_00001.npy",
               [&] { reader.for_each_block(10, [](int64_t, std::span<const float>) {}); });
}

TEST_F(CatalogTest, RefusesWhatIsNoCatalog) {
  expect_error(ExitCode::kUsage, "no catalog at", [&] { CatalogReader reader(at("none")); });
  expect_error(ExitCode::kUsage, "no catalog at", [&] { CatalogReader reader(folder_); });
  finish(at("c"));
  const std::string ledger = get("c/catalog.sqlite");
  put("c/catalog.sqlite", "");
  expect_error(ExitCode::kDamaged, "begun and never written", [&] { CatalogReader reader(at("c")); });
  const auto spoiled = [&](const char* sql, const std::string& part) {
    put("c/catalog.sqlite", ledger);
    Database(at("c/catalog.sqlite"), Database::Access::kWrite).run(sql);
    expect_error(ExitCode::kDamaged, part, [&] { CatalogReader reader(at("c")); });
  };
  spoiled("PRAGMA application_id = 7", "no database of a lookalike catalog");
  spoiled("PRAGMA user_version = 0", "version 0");
  spoiled("PRAGMA user_version = 1", "older version");
  spoiled("PRAGMA user_version = 3", "newer version");
  spoiled("CREATE TABLE more (x)", "tables");
  spoiled("CREATE TRIGGER t AFTER INSERT ON items BEGIN DELETE FROM shards; END", "tables");
  spoiled("DROP TABLE refusals", "tables");
  spoiled("UPDATE settings SET value = 'x' WHERE name = 'photo_rule'", "settings");
  spoiled("UPDATE shards SET file = '../../etc/passwd' WHERE shard = 0", "shard 0");
  spoiled("PRAGMA foreign_keys = OFF; UPDATE shards SET shard = 77 WHERE shard = 2", "shard 77");
  put("c/catalog.sqlite", ledger);
  write_model(at("c/model.safetensors"), model(3));
  expect_error(ExitCode::kDamaged, "not the model that made", [&] { CatalogReader reader(at("c")); });
  expect_error(ExitCode::kDamaged, "not the model that made", [&] { finish(at("c")); });
  std::filesystem::remove(at("c/model.safetensors"));
  expect_error(ExitCode::kDamaged, "model.safetensors: it is missing",
               [&] { CatalogReader reader(at("c")); });
}

}  // namespace
}  // namespace lookalike
