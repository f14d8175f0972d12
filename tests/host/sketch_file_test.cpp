// A catalog's sketches on disk: used when they are whole and of these codes, and never seen in a result.
#include "host/sketch_file.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "host/catalog_search.h"
#include "host/recommendations.h"
#include "host/sketch_build.h"
#include "tests/host/fake_device.h"
#include "tests/host/grouped_catalog.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

bool go_on(int64_t) { return true; }

class SketchFileTest : public ScratchTest {
 protected:
  // 1,300 rows in shards of 500: blocks and shards end in different places.
  static constexpr int64_t kRows = 1300;

  SketchFileTest() { test::make_grouped_catalog(at("c"), kRows, 500, 1); }

  SketchReport build(const std::string& folder, int threads = 2, bool force = false) {
    ThreadPool pool(threads);
    return build_sketches(CatalogReader(folder), pool, force, go_on);
  }
  std::string bytes() { return bytes_of(sketch_path(at("c"))); }
  void overwrite(const std::string& bytes) {
    std::ofstream(sketch_path(at("c")), std::ios::binary | std::ios::trunc) << bytes;
  }
  void read_all() {
    const SketchFile file(sketch_path(at("c")));
    std::vector<uint8_t> scratch;
    for (int64_t b = 0; b < file.blocks(); ++b) file.block(b, scratch);
    std::vector<int8_t> fine(static_cast<std::size_t>(file.plan()->sketcher.size()));
    for (int64_t row = 0; row < file.rows(); ++row) file.fine(row, fine);
  }
  // Where the blocks begin in the file.
  std::size_t first_block() {
    const SketchFile file(sketch_path(at("c")));
    const auto numbers = static_cast<std::size_t>(file.plan()->sketcher.size());
    const auto bytes = static_cast<std::size_t>(file.plan()->byte_sketcher.numbers());
    return 128 + 4 * 64 + kCodeLength * 4 * numbers + 8 + 4 * bytes + 8 * numbers;
  }

  // The table, and what was said about sketches.
  struct Told {
    std::string table, notices;
    RecommendationResult result;
  };
  Told recommend(const RecommendationOptions& options) {
    Told told;
    told.result = write_recommendations(device, CatalogReader(at("c")), options,
                                        {[&](std::string_view some) { told.table += some; },
                                         {},
                                         [&](const std::string& text) { told.notices += text + "\n"; }});
    return told;
  }

  FakeDevice device;
};

TEST_F(SketchFileTest, RecommendationsAreThoseOfThePlainScan) {
  const Told plain = recommend({.wish = {.k = 7}});
  EXPECT_EQ(plain.result.measured, -1);
  EXPECT_EQ(plain.notices, "") << "so few rows need none";
  EXPECT_EQ(build(at("c")).outcome, SketchOutcome::kMade);
  for (const int threads : {1, 2}) {
    for (const int64_t queries : {64, 1000, 4096}) {
      const Told told = recommend({.wish = {.k = 7}, .block_queries = queries, .threads = threads});
      ASSERT_EQ(told.table, plain.table) << threads << " threads, " << queries << " at once";
      EXPECT_EQ(told.notices, "");
      EXPECT_LT(told.result.measured, kRows * kRows / 4);
      EXPECT_GE(told.result.measured, kRows * 8);
    }
  }
  for (const int64_t queries : {1, 7}) {  // threads share the blocks
    CatalogReader catalog(at("c"));
    CatalogSearch search(catalog, device,
                         {.threads = 2, .queries = queries, .at_once = queries, .wish = {.k = 7}});
    CatalogSearch other(catalog, device,
                        {.threads = 1, .queries = queries, .at_once = queries, .wish = {.k = 7}});
    std::vector<float> codes(static_cast<std::size_t>(queries * kCodeLength));
    catalog.for_each_block(queries, [&](int64_t, std::span<const float> some) {
      if (some.size() == codes.size()) codes.assign(some.begin(), some.end());
    });
    SearchLimits limits;
    limits.k = 7;
    const auto found = search.nearest({codes, {}}, limits);
    EXPECT_EQ(found, other.nearest({codes, {}}, limits));
    CodeSource rows{catalog.rows(), [&](const auto& visit) { catalog.for_each_block(77, visit); }};
    EXPECT_EQ(found, lookalike::search(device, {codes, {}}, rows, 7));
    EXPECT_TRUE(search.by_sketch());
  }
}

TEST_F(SketchFileTest, AnyNumberOfNeighbours) {
  build(at("c"));
  const CatalogReader catalog(at("c"));
  std::vector<float> codes(static_cast<std::size_t>(20 * kCodeLength));
  for (std::size_t q = 0; q < 20; ++q) {
    catalog.read_codes(static_cast<int64_t>(65 * q), std::span(codes).subspan(q * kCodeLength, kCodeLength));
  }
  const auto whole = lookalike::search(device, {codes, {}}, code_source(catalog), kRows);
  for (const int64_t queries : {1, 20}) {  // blocks shared out, queries shared out
    const SearchQueries asked{std::span(codes).first(static_cast<std::size_t>(queries * kCodeLength)), {}};
    for (const int64_t k : {int64_t{1}, int64_t{100}, kRows - 1, kRows, kRows + 1, int64_t{1} << 40}) {
      CatalogSearch search(catalog, device,
                           {.threads = 2, .queries = queries, .at_once = queries, .wish = {.k = k}});
      SearchLimits limits;
      limits.k = k;
      const auto found = search.nearest(asked, limits);
      EXPECT_TRUE(search.by_sketch());
      for (std::size_t q = 0; q < static_cast<std::size_t>(queries); ++q) {
        std::vector<Neighbour> expected = whole[q];
        expected.resize(static_cast<std::size_t>(std::min(k, kRows)));
        ASSERT_EQ(found[q], expected) << "k " << k << ", query " << q;
      }
    }
  }
}

TEST_F(SketchFileTest, IsMadeOnceAndTheSameForAnyThreads) {
  const SketchReport first = build(at("c"), 1);
  const std::string made = bytes();
  EXPECT_EQ(std::ssize(made), first.bytes);
  EXPECT_EQ(build(at("c"), 2).outcome, SketchOutcome::kFresh);
  EXPECT_EQ(build(at("c"), 2, true).outcome, SketchOutcome::kMade);
  EXPECT_EQ(bytes(), made);
  overwrite(made.substr(0, made.size() / 2));
  EXPECT_EQ(build(at("c")).outcome, SketchOutcome::kMade) << "a broken one is made again";
  EXPECT_EQ(bytes(), made);
  // A stop at any report leaves what was there, and no temporary.
  ThreadPool pool(1);
  for (const int64_t stop : {0, 500, 1000}) {
    EXPECT_EQ(
        build_sketches(CatalogReader(at("c")), pool, true, [&](int64_t rows) { return rows < stop; }).outcome,
        SketchOutcome::kStopped);
    EXPECT_EQ(bytes(), made);
  }
  EXPECT_EQ(names_in(sketch_folder(at("c"))), std::vector<std::string>{"sketches.bin"});
  // Asked while the sample is taken apart too, not at the first block alone.
  int asked = 0;
  build_sketches(CatalogReader(at("c")), pool, true, [&](int64_t rows) { return rows > 0 || ++asked < 3; });
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(bytes(), made);
}

TEST_F(SketchFileTest, OfOtherCodesAreNotUsed) {
  test::make_grouped_catalog(at("other"), kRows, 500, 2);
  build(at("other"));
  std::filesystem::create_directory(sketch_folder(at("c")));
  const Told plain = recommend({.wish = {.k = 3}});
  std::filesystem::copy(sketch_path(at("other")), sketch_path(at("c")));
  const Told told = recommend({.wish = {.k = 3}});
  EXPECT_EQ(told.table, plain.table);
  EXPECT_EQ(told.result.measured, -1);
  EXPECT_NE(told.notices.find("of other codes"), std::string::npos) << told.notices;
  EXPECT_NE(verify_artefact(at("c")).back().find("of other codes"), std::string::npos);
  EXPECT_EQ(build(at("c")).outcome, SketchOutcome::kMade);
  EXPECT_GE(recommend({.wish = {.k = 3}}).result.measured, 0);
  EXPECT_NE(verify_artefact(at("c")).back().find("1,300 rows"), std::string::npos);
}

TEST_F(SketchFileTest, EveryChangedByteIsDamage) {
  build(at("c"));
  const std::string whole = bytes();
  const std::size_t blocks = first_block();
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < 320; i += 5) places.push_back(i);                    // header and table
  for (std::size_t i = blocks - 12; i < blocks + 80; i += 3) places.push_back(i);  // scale, head, halves
  for (std::size_t i = 1; i <= 30; ++i) places.push_back(whole.size() - 3 * i);
  for (std::size_t i = 1; i < 30; ++i) places.push_back(i * whole.size() / 30);
  for (const std::size_t place : places) {
    std::string changed = whole;
    changed[place] = static_cast<char>(changed[place] ^ 0x10);
    overwrite(changed);
    expect_error(ExitCode::kDamaged, "sketches.bin", [&] { read_all(); });
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{127}, std::size_t{200}, blocks, whole.size() - 1}) {
    overwrite(whole.substr(0, size));
    expect_error(ExitCode::kDamaged, "sketches.bin", [&] { read_all(); });
  }
  overwrite(whole + "x");
  expect_error(ExitCode::kDamaged, "sketches.bin", [&] { read_all(); });
}

// Checksums that fit what is no sketch: nothing is believed, and nothing large is taken.
TEST_F(SketchFileTest, SizesThatNoCatalogHasAreRefused) {
  build(at("c"));
  const std::string whole = bytes();
  const std::size_t blocks = first_block();
  const auto scanned = static_cast<std::size_t>(SketchFile(sketch_path(at("c"))).block_bytes());
  const auto put = [](std::string& text, std::size_t place, uint64_t number) {
    std::memcpy(text.data() + place, &number, sizeof number);
  };
  const auto seal = [](std::string& text, std::size_t first, std::size_t size, std::size_t place) {
    const std::string digits = xxh3_hex(std::as_bytes(std::span(text).subspan(first, size)));
    for (std::size_t i = 0; i < 16; ++i) {
      text[place + i] = static_cast<char>(std::stoi(digits.substr(2 * i, 2), nullptr, 16));
    }
  };
  std::string same = whole;
  seal(same, 0, 112, 112);
  ASSERT_EQ(same, whole);
  for (const std::size_t field : {std::size_t{16}, std::size_t{24}, std::size_t{32}, std::size_t{40}}) {
    for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{1023}, uint64_t{8192}, uint64_t{1} << 24,
                                  uint64_t{1} << 40, uint64_t{1} << 62, ~uint64_t{0}}) {
      std::string changed = whole;
      put(changed, field, number);
      seal(changed, 0, 112, 112);
      overwrite(changed);
      expect_error(ExitCode::kDamaged, "sketches.bin", [&] { read_all(); });
    }
  }
  // Sections exchanged, one twice, one unknown, one that ends nowhere.
  const auto with_table = [&](const std::function<void(std::string&)>& change) {
    std::string changed = whole;
    change(changed);
    seal(changed, 128, 256, 64);
    seal(changed, 0, 112, 112);
    overwrite(changed);
    expect_error(ExitCode::kDamaged, "sketches.bin", [&] { read_all(); });
  };
  with_table(
      [&](std::string& text) { text.replace(128, 128, whole.substr(192, 64) + whole.substr(128, 64)); });
  with_table([&](std::string& text) { text.replace(192, 64, whole.substr(128, 64)); });
  with_table([&](std::string& text) { text[128] = 'x'; });
  with_table([&](std::string& text) { put(text, 128 + 24, ~uint64_t{0}); });
  // Bounds of a block below what rounding does, and lengths above any.
  const auto with_block = [&](const std::string& says, const std::function<void(std::string&)>& change) {
    std::string changed = whole;
    change(changed);
    const std::string sealed = changed.substr(blocks, 48) + changed.substr(blocks + 64, scanned);
    const std::string digits = xxh3_hex(std::as_bytes(std::span(sealed)));
    for (std::size_t i = 0; i < 16; ++i) {
      changed[blocks + 48 + i] = static_cast<char>(std::stoi(digits.substr(2 * i, 2), nullptr, 16));
    }
    overwrite(changed);
    expect_error(ExitCode::kDamaged, says, [&] { read_all(); });
  };
  for (const double bound : {-1.0, std::nan("")}) {
    for (const std::size_t place : {blocks, blocks + 8}) {
      with_block("bounds",
                 [&](std::string& text) { std::memcpy(text.data() + place, &bound, sizeof bound); });
    }
  }
  for (const int32_t half : {1, 2'147'483'600, -(1 << 30) - 1}) {
    with_block("lengths",
               [&](std::string& text) { std::memcpy(text.data() + blocks + 64, &half, sizeof half); });
  }
}

TEST_F(SketchFileTest, AnotherVersionIsDamage) {
  build(at("c"));
  std::string changed = bytes();
  changed[8] = 1;
  overwrite(changed);
  expect_error(ExitCode::kDamaged, "its version is 1", [&] { read_all(); });
}

// Damage in the header is seen at once, in a block in the midst of a scan; the answer is the same.
TEST_F(SketchFileTest, DamageCostsSpeedAlone) {
  const Told plain = recommend({.wish = {.k = 5}});
  build(at("c"));
  const std::string whole = bytes();
  for (const std::size_t place : {std::size_t{9}, first_block() + 70}) {
    std::string changed = whole;
    changed[place] = static_cast<char>(changed[place] ^ 1);
    overwrite(changed);
    const Told told = recommend({.wish = {.k = 5}, .block_queries = 500});
    EXPECT_EQ(told.table, plain.table);
    EXPECT_EQ(told.result.measured, -1);
    EXPECT_EQ(std::count(told.notices.begin(), told.notices.end(), '\n'), 1) << told.notices;
    EXPECT_NE(told.notices.find("warning: " + sketch_path(at("c"))), std::string::npos) << told.notices;
    // A single query reads blocks as it goes.
    const CatalogReader catalog(at("c"));
    CatalogSearch search(catalog, device, {.threads = 2});
    std::vector<float> code(std::size_t{kCodeLength});
    catalog.read_codes(5, code);
    SearchLimits limits;
    limits.k = 2;
    EXPECT_EQ(search.nearest({code, {}}, limits)[0], (std::vector<Neighbour>{{0.0, 5}, {0.0, 900}}));
    EXPECT_FALSE(search.by_sketch());
    expect_error(ExitCode::kDamaged, "sketches.bin", [&] { verify_artefact(at("c")); });
  }
}

TEST_F(SketchFileTest, FewRowsHaveNone) {
  test::make_grouped_catalog(at("few"), kFewestSketchedRows - 1, 100, 3);
  std::filesystem::create_directory(sketch_folder(at("few")));
  build(at("c"));
  std::filesystem::copy(sketch_path(at("c")), sketch_path(at("few")));
  EXPECT_EQ(build(at("few")).outcome, SketchOutcome::kNone);
  EXPECT_FALSE(exists(sketch_path(at("few")))) << "of a larger catalog that was there";
  const CatalogReader catalog(at("few"));
  std::string notices;
  const CatalogSearch search(catalog, device, {.notice = [&](const std::string& text) { notices += text; }});
  EXPECT_FALSE(search.by_sketch());
  EXPECT_EQ(notices, "");
}

}  // namespace
}  // namespace lookalike
