// The pipeline: what it hands over, in what order, and that a stage that fails takes all others with it.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "host/encode_pipeline.h"
#include "tests/host/fake_device.h"
#include "tests/host/scratch.h"

namespace lookalike {
namespace {

class EncodePipelineTest : public ScratchTest {
 protected:
  static constexpr int64_t kPhotos = 23;
  static constexpr int64_t kShardRows = 5;

  EncodePipelineTest() {
    for (int64_t i = 0; i < kPhotos; ++i) {
      PhotoItem item;
      item.id = fmt::format("photo {}", i);
      item.path = at(fmt::format("{}.png", i));
      item.label = i % 2 == 0 ? "even" : "odd";
      item.columns = {{"price", std::to_string(i)}};
      photos.items.push_back(item);
      const cv::Mat image(40 + static_cast<int>(i), 50, CV_8UC3,
                          cv::Scalar(10.0 * static_cast<double>(i), 99, 7));
      cv::imwrite(item.path, image);
    }
    put("3.png", "no picture");
    std::filesystem::remove(at("11.png"));
    for (int i = 15; i < 20; ++i) put(fmt::format("{}.png", i), "");  // all of shard 3
  }

  static std::vector<int64_t> all_shards() { return {0, 1, 2, 3, 4}; }

  struct Run {
    std::vector<ShardContent> shards;
    bool finished = false;
    int64_t done = 0, refused = 0;
    EncodeTimes times;
  };
  Run run(int decoders, int64_t batch_size, const std::vector<int64_t>& shards = all_shards()) {
    EncodePipelineOptions options;
    options.decoders = decoders;
    options.batch_size = batch_size;
    options.shard_rows = kShardRows;
    Run result;
    result.finished = encode_shards(device, PhotoTable(photos), shards, options,
                                    {[&](const ShardContent& piece) {
                                       if (on_write) on_write(piece);
                                       EXPECT_LE(piece.items.size() + piece.refusals.size(),
                                                 static_cast<std::size_t>(batch_size));
                                       add(piece, result.shards);
                                     },
                                     [&](int64_t done, int64_t refused) {
                                       EXPECT_GE(done, result.done);
                                       result.done = done;
                                       result.refused = refused;
                                       return !stop;
                                     }},
                                    &result.times);
    return result;
  }

  // Pieces of one shard come one after the other.
  static void add(const ShardContent& piece, std::vector<ShardContent>& shards) {
    if (shards.empty() || shards.back().ends_shard) shards.push_back({piece.shard, false, {}, {}, {}, {}});
    ShardContent& shard = shards.back();
    EXPECT_EQ(shard.shard, piece.shard);
    const auto append = [](auto& all, const auto& more) { all.insert(all.end(), more.begin(), more.end()); };
    append(shard.items, piece.items);
    append(shard.codes, piece.codes);
    append(shard.thumbnails, piece.thumbnails);
    append(shard.refusals, piece.refusals);
    shard.ends_shard = piece.ends_shard;
  }

  PhotoList photos;
  FakeDevice device;
  std::atomic<bool> stop = false;
  std::function<void(const ShardContent&)> on_write;
};

TEST_F(EncodePipelineTest, ListedIsEncodedAndRefusedInTheListsOrder) {
  const Run result = run(2, 2);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.done, kPhotos);
  EXPECT_EQ(result.refused, 7);
  ASSERT_EQ(result.shards.size(), 5U);
  std::vector<float> code(kCodeLength);
  std::vector<uint8_t> pixels(kImageBytes);
  for (int64_t s = 0; s < 5; ++s) {
    const ShardContent& shard = result.shards[static_cast<std::size_t>(s)];
    EXPECT_EQ(shard.shard, s);
    std::size_t item = 0, refusal = 0;
    for (int64_t i = s * kShardRows; i < std::min(kPhotos, (s + 1) * kShardRows); ++i) {
      const PhotoItem& listed = photos.items[static_cast<std::size_t>(i)];
      SCOPED_TRACE(listed.id);
      if (i == 3 || i == 11 || (i >= 15 && i < 20)) {
        ASSERT_LT(refusal, shard.refusals.size());
        EXPECT_EQ(shard.refusals[refusal].id, listed.id);
        EXPECT_EQ(shard.refusals[refusal].path, listed.path);
        EXPECT_NE(shard.refusals[refusal++].reason, "");
        continue;
      }
      ASSERT_LT(item, shard.items.size());
      const CatalogItem& got = shard.items[item];
      EXPECT_EQ(got.id, listed.id);
      EXPECT_EQ(got.path, listed.path);
      EXPECT_EQ(got.label, listed.label);
      EXPECT_EQ(got.columns, listed.columns);
      EXPECT_EQ(got.width, 50);
      EXPECT_EQ(got.height, 40 + i);
      EXPECT_EQ(got.content_hash, content_hash_text(load_photo(listed.path, {}, {}, pixels.data())));
      EXPECT_EQ(got.content_hash.size(), 32U);
      device.encode(pixels, code);
      EXPECT_TRUE(std::equal(code.begin(), code.end(),
                             shard.codes.begin() + static_cast<std::ptrdiff_t>(item) * kCodeLength));
      const cv::Mat thumbnail = cv::imdecode(shard.thumbnails[item], cv::IMREAD_COLOR);
      ASSERT_EQ(thumbnail.size(), cv::Size(150, 150));
      EXPECT_NEAR(thumbnail.at<cv::Vec3b>(75, 75)[1], 99, 3);
      ++item;
    }
    EXPECT_EQ(item, shard.items.size());
    EXPECT_EQ(item * kCodeLength, shard.codes.size());
    EXPECT_EQ(refusal, shard.refusals.size());
  }
}

TEST_F(EncodePipelineTest, ThreadsAndBatchesLeaveNoTrace) {
  const Run expected = run(1, 1);
  for (const int decoders : {1, 2, 7}) {
    for (const int64_t batch_size : {1, 3, 5, 128}) {
      const Run result = run(decoders, batch_size);
      ASSERT_EQ(result.shards.size(), expected.shards.size());
      for (std::size_t s = 0; s < result.shards.size(); ++s) {
        SCOPED_TRACE(fmt::format("{} decoders, batch {}, shard {}", decoders, batch_size, s));
        EXPECT_EQ(result.shards[s].codes, expected.shards[s].codes);
        EXPECT_EQ(result.shards[s].thumbnails, expected.shards[s].thumbnails);
        ASSERT_EQ(result.shards[s].items.size(), expected.shards[s].items.size());
        for (std::size_t i = 0; i < result.shards[s].items.size(); ++i) {
          EXPECT_EQ(result.shards[s].items[i].id, expected.shards[s].items[i].id);
        }
        ASSERT_EQ(result.shards[s].refusals.size(), expected.shards[s].refusals.size());
        for (std::size_t i = 0; i < result.shards[s].refusals.size(); ++i) {
          EXPECT_EQ(result.shards[s].refusals[i].reason, expected.shards[s].refusals[i].reason);
        }
      }
    }
  }
}

TEST_F(EncodePipelineTest, EncodesTheShardsThatAreAskedFor) {
  const Run all = run(2, 3), some = run(2, 3, {1, 4});
  ASSERT_EQ(some.shards.size(), 2U);
  EXPECT_EQ(some.shards[0].codes, all.shards[1].codes);
  EXPECT_EQ(some.shards[1].codes, all.shards[4].codes);
  EXPECT_EQ(some.done, 8);
  EXPECT_TRUE(run(2, 3, {}).finished);
}

TEST_F(EncodePipelineTest, AFailedWriterEndsTheRun) {
  int pieces = 0;
  on_write = [&](const ShardContent&) {
    if (++pieces == 2) throw system_error("the disk is full");
  };
  expect_error(ExitCode::kSystem, "the disk is full", [&] { run(3, 1); });
  EXPECT_EQ(pieces, 2);
}

TEST_F(EncodePipelineTest, AFailedDeviceEndsTheRun) {
  device.fail_at = 4;
  EXPECT_THROW(run(3, 2), std::runtime_error);
  EXPECT_EQ(device.encode_calls, 4);
}

TEST_F(EncodePipelineTest, AFailedReportEndsTheRun) {
  EncodePipelineOptions options;
  options.shard_rows = kShardRows;
  EXPECT_THROW(encode_shards(device, PhotoTable(photos), all_shards(), options,
                             {[](const ShardContent&) {},
                              [](int64_t, int64_t) -> bool { throw std::runtime_error("no terminal"); }}),
               std::runtime_error);
}

TEST_F(EncodePipelineTest, AStopWritesWhatIsEncoded) {
  on_write = [&](const ShardContent& piece) { stop = piece.shard == 1; };
  const Run result = run(2, 1);
  EXPECT_FALSE(result.finished);
  ASSERT_GE(result.shards.size(), 2U);
  EXPECT_LT(result.shards.size(), 5U);
  for (std::size_t s = 0; s < result.shards.size(); ++s) {
    EXPECT_EQ(result.shards[s].shard, static_cast<int64_t>(s));
    const std::size_t photos_of_shard = result.shards[s].items.size() + result.shards[s].refusals.size();
    EXPECT_EQ(result.shards[s].ends_shard, photos_of_shard == 5);
    EXPECT_TRUE(result.shards[s].ends_shard || s + 1 == result.shards.size());
  }
}

// Slow by a hundred times what the others take together.
TEST_F(EncodePipelineTest, TheSlowStageIsNamed) {
  constexpr auto kSlow = std::chrono::milliseconds(40);
  device.delay = kSlow;
  EXPECT_THAT(run(2, 2).times.bottleneck(), testing::StartsWith("encoding limits: "));
  device.delay = {};
  on_write = [&](const ShardContent&) { std::this_thread::sleep_for(kSlow); };
  EXPECT_THAT(run(2, 2).times.bottleneck(), testing::StartsWith("writing limits: "));
  on_write = nullptr;
  const cv::Mat large(3000, 3000, CV_8UC3, cv::Scalar(1, 2, 3));
  for (int i = 0; i < 10; ++i) cv::imwrite(at(fmt::format("{}.png", i)), large);
  EXPECT_THAT(run(2, 2, {0, 1}).times.bottleneck(), testing::StartsWith("decoding limits: "));
}

// Small pictures in files of 60 MB: these are read whole, and their bytes beyond the picture hashed at a
// tenth of that time.
TEST_F(EncodePipelineTest, SlowReadingIsNamed) {
  for (int64_t i = 20; i < kPhotos; ++i) {
    std::filesystem::resize_file(at(fmt::format("{}.png", i)), 60'000'000);  // a hole takes no place
  }
  const Run result = run(2, 2, {4});
  EXPECT_EQ(result.refused, 0);
  EXPECT_THAT(result.times.bottleneck(), testing::StartsWith("reading limits: "));
}

TEST_F(EncodePipelineTest, ACodeThatIsNotFiniteIsRefused) {
  cv::imwrite(at("1.png"), cv::Mat(50, 50, CV_8UC3, cv::Scalar::all(0)));
  device.nan_for_black = true;
  const Run result = run(2, 5, {0});
  ASSERT_EQ(result.shards.size(), 1U);
  ASSERT_EQ(result.shards[0].refusals.size(), 2U);  // and photo 3, which is no picture
  EXPECT_EQ(result.shards[0].refusals[0].id, "photo 1");
  EXPECT_THAT(result.shards[0].refusals[0].reason, testing::HasSubstr("not finite"));
  EXPECT_EQ(result.shards[0].items[1].id, "photo 2");
  EXPECT_EQ(result.shards[0].codes.size(), 3 * std::size_t{kCodeLength});
}

}  // namespace
}  // namespace lookalike
