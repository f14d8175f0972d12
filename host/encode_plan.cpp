#include "host/encode_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/error.h"
#include "host/catalog.h"
#include "host/encode_pipeline.h"
#include "host/interrupt.h"
#include "host/plan.h"
#include "host/shard_writer.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr int64_t kSample = 512;            // photos
constexpr Seconds kMeasuring{1};            // at most, but for one batch
constexpr int64_t kMeasuringBatch = 16;     // small, so that slow photos give a rate too
constexpr int64_t kFixedMemory = 30 << 20;  // code, libraries, network

// What some photos took.
struct Measurement {
  int64_t photos = 0, refused = 0, kept = 0, thumbnail_bytes = 0;
  double seconds = 0;

  double rate() const { return static_cast<double>(photos) / std::max(seconds, 1e-9); }
  int64_t thumbnail() const { return kept > 0 ? thumbnail_bytes / kept : 0; }  // bytes, mean
};

Measurement measure(const PhotoTable& photos, EncodePipelineOptions options, Device& device) {
  PhotoTable sample(photos.source());
  for (const int64_t place : spread_over(photos.size(), kSample)) {
    for (const PhotoItem& item : photos.items(place, 1)) sample.add(item, sample.size() + 1);
  }
  options.batch_size = options.shard_rows = kMeasuringBatch;
  std::vector<int64_t> shards;
  for (int64_t s = 0; s < shard_count(sample.size(), kMeasuringBatch); ++s) shards.push_back(s);

  Measurement result;
  const auto start = std::chrono::steady_clock::now();
  EncodeCallbacks callbacks;
  callbacks.write = [&](const ShardContent& piece) {
    for (const auto& jpeg : piece.thumbnails) result.thumbnail_bytes += std::ssize(jpeg);
    result.kept += std::ssize(piece.thumbnails);
  };
  callbacks.report = [&](int64_t done, int64_t refused) {
    if (done > result.photos) result.seconds = Seconds(std::chrono::steady_clock::now() - start).count();
    result.photos = done;
    result.refused = refused;
    return stop_signal() == 0 &&
           (done == 0 || Seconds(std::chrono::steady_clock::now() - start) < kMeasuring);
  };
  encode_shards(device, sample, shards, options, callbacks);
  if (stop_signal() != 0) throw Interrupted(stop_signal());
  return result;
}

struct Sizes {
  int64_t files = 0;   // bytes of the photos
  int64_t ledger = 0;  // bytes of catalog.sqlite
};

// The ledger: texts, with those that an index holds again, and some 80 bytes a row.
Sizes sizes_of(const PhotoTable& photos) {
  constexpr int64_t kBlock = 1024, kHash = 32, kRow = 80;
  Sizes sizes;
  for (int64_t first = 0; first < photos.size(); first += kBlock) {
    for (const PhotoItem& item : photos.items(first, kBlock)) {
      if (stop_signal() != 0) throw Interrupted(stop_signal());
      sizes.files += bytes_of_file(item.path);
      sizes.ledger +=
          2 * std::ssize(item.id) + std::ssize(item.path) + std::ssize(item.label) + 2 * kHash + kRow;
      for (const auto& [name, value] : item.columns) sizes.ledger += std::ssize(name) + std::ssize(value) + 6;
    }
  }
  return sizes;
}

int64_t memory_bytes(const EncodePipelineOptions& options, int64_t listed, int64_t thumbnail) {
  constexpr int64_t kItem = 1024;  // what the ledger keeps of a photo, until its shard is whole
  const int64_t code = kCodeLength * int64_t{sizeof(float)};
  const int64_t batch = std::min(options.batch_size, listed);
  return kFixedMemory + kPipelineBatches * batch * kImageBytes +
         (1 + kPipelinePieces) * batch * (code + thumbnail) + std::min(kThumbnailsHeld, listed) * thumbnail +
         std::min(options.shard_rows, listed) * kItem;
}

}  // namespace

int plan_encoding(const EncodeCommandOptions& options) {
  watch_signals();
  const EncodeJob job(options);
  const int64_t listed = job.listed();
  const CatalogTotals before = look_at_catalog(options.catalog, job.model, job.settings, listed,
                                               shard_count(listed, options.shard_rows), options.force);
  const int64_t done = before.encoded + before.refused, left = listed - done;
  const EncodePipelineOptions pipeline = pipeline_options(options, job.model);

  const Sizes sizes = sizes_of(job.photos);

  Plan plan;
  plan.add("plan", "nothing is written by --dry-run");
  plan.add("photos", fmt::format("{} listed, {} of files; {} done before, {} to encode", format_count(listed),
                                 format_bytes(sizes.files), format_count(done), format_count(left)));
  plan.add("device", job.reason);
  if (left == 0) {
    plan.add("time", "none: " + options.catalog + " is finished already, --force starts over");
    print_output(plan.text());
    return static_cast<int>(ExitCode::kDone);
  }
  const Measurement measured = measure(job.photos, pipeline, *job.device);
  const int64_t codes = listed * kCodeLength * int64_t{sizeof(float)};
  const int64_t thumbnails = listed * measured.thumbnail();
  const int64_t disk = codes + thumbnails + sizes.ledger;
  plan.add("memory", "about " + format_bytes(memory_bytes(pipeline, listed, measured.thumbnail())));
  plan.add("disk",
           fmt::format("about {} in {} when it is finished (codes {}, thumbnails {}, ledger {}); {}",
                       format_bytes(disk), options.catalog, format_bytes(codes), format_bytes(thumbnails),
                       format_bytes(sizes.ledger), free_space_text(options.catalog, disk)));
  plan.add("time", fmt::format("about {}: {} photos/s, measured for {:.1f} seconds on {} photos of the list, "
                               "{} of which were refused",
                               format_duration(static_cast<double>(left) / measured.rate()),
                               format_count(std::llround(measured.rate())), measured.seconds,
                               format_count(measured.photos), format_count(measured.refused)));
  print_output(plan.text());
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
