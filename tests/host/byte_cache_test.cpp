#include "host/byte_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <numeric>
#include <thread>

#include "engine/error.h"
#include "host/interrupt.h"
#include "tests/host/photo_makers.h"

namespace lookalike {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace lookalike::testing;

// `count` photos, of which every one told by `broken` is cut in two.
class Shop {
 public:
  explicit Shop(int count, const std::vector<int>& broken = {}) {
    for (int i = 0; i < count; ++i) {
      File file = encoded(".jpg", gradient(30 + i, 40) + cv::Scalar(i, 0, 0));
      if (std::ranges::count(broken, i) != 0) file.resize(file.size() / 2);
      const std::string name = std::to_string(i) + ".jpg";
      photos_.items.push_back({"id" + std::to_string(i), folder_.write(name, file), "", {}});
    }
  }
  PhotoList& photos() { return photos_; }
  const TemporaryFolder& folder() const { return folder_; }

  std::vector<uint8_t> expected(int64_t item) const {
    std::vector<uint8_t> pixels(static_cast<size_t>(kImageBytes));
    load_photo(photos_.items[static_cast<size_t>(item)].path, {}, {}, pixels.data());
    return pixels;
  }

 private:
  TemporaryFolder folder_;
  PhotoList photos_;
};

ByteCacheOptions options_of(int threads, bool in_memory) {
  ByteCacheOptions options;
  options.threads = threads;
  if (!in_memory) options.memory_bytes = 0;
  return options;
}

std::vector<uint8_t> gathered(const ByteCache& cache, const std::vector<int64_t>& indices) {
  std::vector<uint8_t> out(indices.size() * static_cast<size_t>(kImageBytes), 0xA5);
  cache.gather(indices, out);
  return out;
}

std::vector<uint8_t> all_of(const ByteCache& cache) {
  std::vector<int64_t> indices(static_cast<size_t>(cache.size()));
  std::iota(indices.begin(), indices.end(), 0);
  return gathered(cache, indices);
}

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST(ByteCache, HoldsEveryPhotoInListOrder) {
  Shop shop(12);
  const ByteCache cache(shop.photos(), options_of(3, true), {});
  ASSERT_EQ(cache.size(), 12);
  EXPECT_TRUE(cache.in_memory());
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(gathered(cache, {i}), shop.expected(i)) << i;
}

TEST(ByteCache, BrokenPhotosCostNothingElse) {
  Shop shop(10, {0, 4, 9});
  shop.photos().items[6].path = shop.folder() / "absent.jpg";
  const ByteCache cache(shop.photos(), options_of(4, true), {});
  EXPECT_THAT(cache.items(), ElementsAre(1, 2, 3, 5, 7, 8));
  for (int64_t i = 0; i < cache.size(); ++i) {
    EXPECT_EQ(gathered(cache, {i}), shop.expected(cache.items()[static_cast<size_t>(i)])) << i;
  }
  ASSERT_EQ(cache.refusals().size(), 4U);
  EXPECT_EQ(cache.refusals()[0].id, "id0");
  EXPECT_EQ(cache.refusals()[1].path, shop.photos().items[4].path);
  EXPECT_THAT(cache.refusals()[1].reason, HasSubstr("damaged JPEG"));
  EXPECT_EQ(cache.refusals()[2].reason, "no such file");
  EXPECT_EQ(cache.refusals()[3].id, "id9");
}

TEST(ByteCache, FileAndMemoryAndThreadsGiveTheSame) {
  Shop shop(20, {3, 11});
  const ByteCache one(shop.photos(), options_of(1, true), {});
  const auto pixels = all_of(one);
  for (const int threads : {1, 2, 7, 40}) {
    for (const bool in_memory : {true, false}) {
      const ByteCache other(shop.photos(), options_of(threads, in_memory), {});
      EXPECT_EQ(other.in_memory(), in_memory);
      EXPECT_EQ(other.items(), one.items());
      EXPECT_EQ(other.content_fingerprint(), one.content_fingerprint());
      EXPECT_EQ(all_of(other), pixels) << threads << " threads";
    }
  }
}

TEST(ByteCache, GatherTakesAnyIndices) {
  Shop shop(5);
  for (const bool in_memory : {true, false}) {
    const ByteCache cache(shop.photos(), options_of(2, in_memory), {});
    const auto out = gathered(cache, {4, 0, 4});
    const auto first = shop.expected(4);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), out.begin()));
    EXPECT_TRUE(std::equal(first.begin(), first.end(), out.begin() + 2 * kImageBytes));
    EXPECT_THROW(gathered(cache, {5}), std::out_of_range);
    EXPECT_THROW(gathered(cache, {-1}), std::out_of_range);
    std::vector<uint8_t> small(10);
    EXPECT_THROW(cache.gather(std::vector<int64_t>{0}, small), std::invalid_argument);
  }
}

TEST(ByteCache, MemoryUpToTheLimitItself) {
  Shop shop(3);
  ByteCacheOptions options;
  options.memory_bytes = 3 * kImageBytes;
  EXPECT_TRUE(ByteCache(shop.photos(), options, {}).in_memory());
  options.memory_bytes -= 1;
  EXPECT_FALSE(ByteCache(shop.photos(), options, {}).in_memory());
}

TEST(ByteCache, TheFileIsPrivateAndGone) {
  Shop shop(3);
  const int before = open_descriptors();
  {
    const TemporaryFolder temporary;
    ASSERT_EQ(setenv("TMPDIR", temporary.path().c_str(), 1), 0);
    const ByteCache cache(shop.photos(), options_of(1, false), {});
    unsetenv("TMPDIR");
    EXPECT_TRUE(std::filesystem::is_empty(temporary.path()));
    EXPECT_EQ(open_descriptors(), before + 1);
    EXPECT_EQ(gathered(cache, {2}), shop.expected(2));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(ByteCache, FingerprintIsOfIdsAndContents) {
  Shop shop(4);
  const auto fingerprint = [&shop] { return ByteCache(shop.photos(), {}, {}).content_fingerprint(); };
  const std::string base = fingerprint();
  EXPECT_EQ(base.size(), 32U);
  shop.photos().items[0].path =
      shop.folder().write("moved.jpg", read_photo_file(shop.photos().items[0].path, {}));
  EXPECT_EQ(fingerprint(), base);
  shop.photos().items[0].id = "other";
  EXPECT_NE(fingerprint(), base);
  shop.photos().items[0].id = "id0";
  std::swap(shop.photos().items[1].path, shop.photos().items[2].path);
  EXPECT_NE(fingerprint(), base);
}

TEST(ByteCache, ReportsFromTheCallingThread) {
  Shop shop(6, {2});
  const auto caller = std::this_thread::get_id();
  int64_t done = -1, refused = -1;
  const ByteCache cache(shop.photos(), options_of(2, true), [&](int64_t d, int64_t r) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_GE(d, done);
    done = d;
    refused = r;
    return true;
  });
  EXPECT_EQ(done, 6);
  EXPECT_EQ(refused, 1);
}

TEST(ByteCache, StopsWhenItsReportSaysSo) {
  Shop shop(1);
  shop.photos().items.assign(100000,
                             shop.photos().items[0]);  // far more than is done before the first report
  EXPECT_THROW(ByteCache(shop.photos(), options_of(2, false), [](int64_t, int64_t) { return false; }),
               Interrupted);
}

TEST(ByteCache, AFailedReportEndsItsDecoders) {
  Shop shop(1);
  shop.photos().items.assign(100000, shop.photos().items[0]);
  EXPECT_THROW(ByteCache(shop.photos(), options_of(2, false),
                         [](int64_t, int64_t) -> bool { throw std::runtime_error("report"); }),
               std::runtime_error);
}

TEST(ByteCache, NoPhotosAtAll) {
  const ByteCache cache(PhotoList{}, {}, {});
  EXPECT_EQ(cache.size(), 0);
  EXPECT_THAT(cache.refusals(), IsEmpty());
}

TEST(ByteCache, AFullDiskIsASystemError) {
  Shop shop(4);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = static_cast<rlim_t>(2 * kImageBytes);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string name, what;
  try {
    const ByteCache cache(shop.photos(), options_of(2, false), {});
  } catch (const Error& error) {
    name = error.name();
    what = error.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(name, "E_SYSTEM");
  EXPECT_THAT(what, HasSubstr("TMPDIR"));
}

TEST(ByteCache, AMissingTemporaryFolderIsASystemError) {
  Shop shop(1);
  ASSERT_EQ(setenv("TMPDIR", (shop.folder() / "absent").c_str(), 1), 0);
  EXPECT_THROW(ByteCache(shop.photos(), options_of(1, false), {}), Error);
  unsetenv("TMPDIR");
}

// What a decoder throws that is no refusal ends the run: here the files that a process may open run out.
TEST(ByteCache, AFailedDecoderEndsTheOthers) {
  Shop shop(50);
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string name;
  try {
    const ByteCache cache(shop.photos(), options_of(4, true), {});
  } catch (const Error& error) {
    name = error.name();
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(name, "E_SYSTEM");
}

}  // namespace
}  // namespace lookalike
