// Compact codes on disk: what is read is what was made, damage is named, and a build cut short changes
// nothing.
#include "host/compact_file.h"

#include <gmock/gmock.h>

#include <numeric>

#include "host/catalog_search.h"
#include "host/safetensors.h"
#include "tests/host/catalog_fixture.h"
#include "tests/support/inputs.h"

namespace lookalike {
namespace {

using testing::HasSubstr;

constexpr int64_t kRows = 30, kDimension = 20, kNumbers = 4;

class CompactFileTest : public ScratchTest {
 protected:
  CompactFileTest() { build("source"); }

  CodeSource source() const {
    return {kRows, [this](const auto& visit) {
              for (int64_t first = 0; first < kRows; first += 8) {
                const int64_t count = std::min<int64_t>(8, kRows - first);
                visit(first, std::span(codes_).subspan(static_cast<std::size_t>(first * kDimension),
                                                       static_cast<std::size_t>(count * kDimension)));
              }
            }};
  }
  void build(const std::string& name, int64_t numbers = kNumbers) const {
    ThreadPool pool(2);
    build_compact(at("c"), source(), kDimension, numbers, name, pool);
  }
  std::string codes_path() const {
    for (const std::string& name : tree(at("c/compact"))) {
      if (name.starts_with("codes_")) return at("c/compact/" + name);
    }
    return {};
  }
  void change(const std::function<void(TensorFile&)>& edit) const {
    const std::string path = at("c/compact/projection.safetensors");
    TensorFile file = read_tensor_file(path);
    file.metadata.erase("checksum");
    edit(file);
    write_tensor_file(path, file);
  }
  void expect_damaged(const std::string& part) const {
    expect_error(ExitCode::kDamaged, part, [&] { CompactFile::open(at("c")); });
  }

  std::vector<float> codes_ = test::random_floats(kRows * kDimension, -1, 1, 3);
};

TEST_F(CompactFileTest, HoldsWhatTheProjectionMakes) {
  const auto file = CompactFile::open(at("c"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->rows(), kRows);
  EXPECT_EQ(file->components(), kNumbers);
  EXPECT_EQ(file->source(), "source");
  file->verify();
  ThreadPool pool(1);
  const CompactProjection fitted = fit_compact(source(), kDimension, kNumbers, pool);
  EXPECT_EQ(file->compactor().projection().mean, fitted.mean) << "two floats hold the mean to the bit";
  EXPECT_EQ(file->compactor().projection().directions, fitted.directions);
  EXPECT_EQ(file->compactor().projection().deviations, fitted.deviations);
  std::vector<float> expected(static_cast<std::size_t>(kRows * kNumbers)), found(expected.size());
  Compactor(fitted).compact(codes_, pool, expected);
  file->read_rows(0, kRows, found);
  EXPECT_EQ(found, expected);
}

TEST_F(CompactFileTest, NoneIsNoError) { EXPECT_FALSE(CompactFile::open(at("none"))); }

TEST_F(CompactFileTest, ABuildCutShortLeavesThePairThatWas) {
  const std::vector<std::string> before = tree(at("c"));
  const std::string bytes = bytes_of(codes_path());
  ThreadPool pool(1);
  // In each of its three passes, at each of their four blocks.
  for (int stop = 0; stop < 12; ++stop) {
    int visited = 0;
    const CodeSource all = source();
    const CodeSource cut = {kRows, [&](const auto& visit) {
                              all.for_each_block([&](int64_t first, std::span<const float> block) {
                                if (visited++ == stop) throw std::runtime_error("stop");
                                visit(first, block);
                              });
                            }};
    EXPECT_THROW(build_compact(at("c"), cut, kDimension, 7, "other", pool), std::runtime_error);
    EXPECT_EQ(tree(at("c")), before) << stop;
    EXPECT_EQ(bytes_of(codes_path()), bytes);
    CompactFile::open(at("c"))->verify();
  }
}

TEST_F(CompactFileTest, AnotherBuildReplacesThePair) {
  const std::string first = codes_path();
  build("other", 7);
  EXPECT_NE(codes_path(), first);
  EXPECT_EQ(tree(at("c/compact")).size(), 2U) << "the codes before are gone";
  EXPECT_EQ(CompactFile::open(at("c"))->components(), 7);
  remove_compact(at("c"));
  EXPECT_TRUE(tree(at("c/compact")).empty());
}

TEST_F(CompactFileTest, NamesWhatIsDamaged) {
  const std::string path = codes_path(), bytes = bytes_of(path);
  const std::string name = std::filesystem::path(path).filename();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    put("c/compact/" + name, flipped);
    expect_error(ExitCode::kDamaged, name, [&] { CompactFile::open(at("c"))->verify(); });
  }
  put("c/compact/" + name, bytes.substr(0, bytes.size() - 1));
  expect_damaged(name);
  std::filesystem::remove(path);
  expect_damaged("missing");
}

TEST_F(CompactFileTest, TakesNoProjectionThatIsNone) {
  const std::string good = get("c/compact/projection.safetensors");
  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& edit) {
    change(edit);
    expect_damaged(part);
    put("c/compact/projection.safetensors", good);
  };
  refused("format", [](TensorFile& file) { file.metadata.erase("format"); });
  refused("no projection", [](TensorFile& file) { file.metadata["format"] = "lookalike-model"; });
  refused("another version", [](TensorFile& file) { file.metadata["version"] = "2"; });
  refused("names no file", [](TensorFile& file) { file.metadata["codes"] = "../codes/codes_00000.npy"; });
  refused("shape", [](TensorFile& file) { file.metadata["rows"] = "31"; });
  refused("tensor mean", [](TensorFile& file) { file.tensors.erase("mean"); });
  refused("tensor directions",
          [](TensorFile& file) { file.tensors["directions"].shape = {kNumbers * kDimension}; });
  refused("belong together", [](TensorFile& file) { file.tensors["more"] = {{1}, {0}}; });
  refused("belong together", [](TensorFile& file) { file.tensors["deviations"] = {{3}, {1, 1, 1}}; });
  refused("no projection", [](TensorFile& file) { file.tensors["deviations"].values[0] = -1; });
}

class CompactCatalogTest : public CatalogTestBase {
 protected:
  void SetUp() override {
    finish(at("c"));
    const CatalogReader catalog(at("c"));
    ThreadPool pool(1);
    build_compact(at("c"), code_source(catalog), catalog.dimension(), 3, catalog.codes_fingerprint(), pool);
  }
};

TEST_F(CompactCatalogTest, AReaderReadsTheKindItWasOpenedOn) {
  const CatalogReader plain(at("c")), compact(at("c"), CodeKind::kCompact);
  EXPECT_EQ(plain.dimension(), kCodeLength);
  EXPECT_EQ(compact.dimension(), 3);
  std::vector<float> all;
  int64_t next = 0;
  compact.for_each_block(3, [&](int64_t first, std::span<const float> block) {
    EXPECT_EQ(first, next);
    next += std::ssize(block) / 3;
    all.insert(all.end(), block.begin(), block.end());
  });
  ASSERT_EQ(next, 8);
  for (int64_t row = 0; row < 8; ++row) {
    std::vector<float> code(3), original(kCodeLength);
    compact.read_codes(row, code);
    EXPECT_TRUE(std::equal(code.begin(), code.end(), all.begin() + row * 3));
    compact.read_plain_codes(row, original);
    EXPECT_EQ(compact.comparable(original), code) << "a photo's code goes through the same projection";
    EXPECT_EQ(plain.comparable(original), original);
  }
}

TEST_F(CompactCatalogTest, CompactCodesOfOtherCodesAreRefused) {
  ThreadPool pool(1);
  const CatalogReader catalog(at("c"));
  build_compact(at("c"), code_source(catalog), catalog.dimension(), 3, "0123", pool);
  expect_error(ExitCode::kUsage, "lookalike compact -c",
               [&] { const CatalogReader stale(at("c"), CodeKind::kCompact); });
  EXPECT_THAT(verify_artefact(at("c")).back(), HasSubstr("stale"));
  remove_compact(at("c"));
  expect_error(ExitCode::kUsage, "has no compact codes",
               [&] { const CatalogReader none(at("c"), CodeKind::kCompact); });
}

TEST_F(CompactCatalogTest, VerifyReadsThemAndForceTakesThemAway) {
  EXPECT_THAT(verify_artefact(at("c")).back(), HasSubstr("8 rows of 3 numbers, checksums ok"));
  finish(at("c"), true);
  EXPECT_FALSE(CompactFile::open(at("c")));
}

}  // namespace
}  // namespace lookalike
