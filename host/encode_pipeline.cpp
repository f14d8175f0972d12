#include "host/encode_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/bottleneck.h"
#include "host/thumbnail.h"

namespace lookalike {
namespace {

constexpr auto kReportInterval = std::chrono::milliseconds(100);

// What one photo became.
struct Outcome {
  CatalogItem item;
  std::vector<uint8_t> thumbnail;
  std::string refusal;  // empty: none
};

// Consecutive items of one shard.
struct Batch {
  int64_t shard = 0, first_item = 0, count = 0;
  bool ends_shard = false;
  int64_t handed_out = 0, missing = 0;
  std::vector<PhotoItem> photos;  // (count)
  std::vector<uint8_t> pixels;    // (count, 150, 150, 3)
  std::vector<Outcome> outcomes;
};

Outcome decode(const std::string& root, const PhotoItem& photo, const EncodePipelineOptions& options,
               uint8_t* pixels, EncodeTimes& times) {
  Outcome outcome;
  outcome.item.id = photo.id;
  outcome.item.path = listed_path(root, photo.path);
  outcome.item.label = photo.label;
  outcome.item.columns = photo.columns;
  try {
    std::fill_n(pixels, kImageBytes, uint8_t{0});
    std::vector<uint8_t> file;
    {
      const Stopwatch reading(times.reading);
      file = read_photo_file(photo.path, options.limits);
    }
    const Stopwatch decoding(times.decoding);
    const Photo facts = decode_photo(file, options.rule, options.limits, pixels);
    outcome.item.content_hash = content_hash_text(facts);
    outcome.item.width = facts.width;
    outcome.item.height = facts.height;
    outcome.thumbnail = thumbnail_of({pixels, std::size_t{kImageBytes}});
    outcome.thumbnail.shrink_to_fit();  // hundreds are kept
  } catch (const RefusedPhoto& refused) {
    outcome.refusal = refused.what();
  }
  return outcome;
}

class Pipeline {
 public:
  Pipeline(const PhotoTable& photos, const std::vector<int64_t>& shards, const EncodePipelineOptions& options,
           const EncodeCallbacks& callbacks)
      : photos_(photos),
        shards_(shards),
        options_(options),
        callbacks_(callbacks),
        batch_size_(std::min(options.batch_size, options.shard_rows)) {}

  bool run(Device& device, EncodeTimes* times) {
    const RunClock clock;
    const bool all = run(device);
    if (times == nullptr) return all;
    *times = times_;  // no thread is left
    times->encoding = encoding_;
    times->writing = writing_;
    times->elapsed = clock.elapsed();
    times->processor_seconds = clock.processor_seconds();
    times->decoders = decoders();
    return all;
  }

 private:
  bool run(Device& device) {
    // Taken at once: the peak of memory then depends on how long a list is, not on which stage fell behind
    // when.
    for (int64_t i = 0; i < kPipelineBatches && i * batch_size_ < total_items(); ++i) {
      spare_.push_back(std::make_unique<Batch>());
      spare_.back()->pixels.resize(static_cast<std::size_t>(batch_size_ * kImageBytes));
    }
    std::vector<std::jthread> threads;
    const StopAtEnd stop_at_end{*this};  // destroyed before the threads are joined
    for (int i = 0; i < decoders(); ++i) {
      threads.emplace_back([this] { guarded([this] { decode_photos(); }); });
    }
    threads.emplace_back([this] { guarded([this] { write_pieces(); }); });

    const bool all = encode_batches(device);
    if (!all) stop();
    finish_writing();
    return all;
  }

  struct StopAtEnd {
    Pipeline& pipeline;
    ~StopAtEnd() { pipeline.stop(); }
  };

  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  // The body of a thread: its failure ends everybody.
  template <typename Body>
  void guarded(const Body& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stopped_ = true;
      changed_.notify_all();
    }
  }

  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  // What is named _locked is called under the lock.

  // Makes `batch` the next piece of the list.
  void plan_locked(Batch& batch) {
    const int64_t shard = shards_[next_shard_];
    const int64_t begin = shard * options_.shard_rows;
    const int64_t end = begin + shard_items(shard);
    batch.shard = shard;
    batch.first_item = begin + next_in_shard_;
    batch.count = std::min(batch_size_, end - batch.first_item);
    batch.ends_shard = batch.first_item + batch.count == end;
    batch.handed_out = 0;
    batch.missing = batch.count;
    batch.photos = photos_.items(batch.first_item, batch.count);
    batch.outcomes.assign(static_cast<std::size_t>(batch.count), {});
    next_in_shard_ = batch.ends_shard ? 0 : next_in_shard_ + batch.count;
    if (batch.ends_shard) ++next_shard_;
  }

  // A batch with a photo that nobody decodes yet; null where one has to wait or there is none left.
  Batch* open_batch_locked() {
    if (!open_.empty() && open_.back()->handed_out < open_.back()->count) return open_.back().get();
    if (next_shard_ == shards_.size()) return nullptr;
    std::unique_ptr<Batch> batch;
    if (!spare_.empty()) {
      batch = std::move(spare_.back());
      spare_.pop_back();
    } else {
      return nullptr;
    }
    plan_locked(*batch);
    open_.push_back(std::move(batch));
    changed_.notify_all();
    return open_.back().get();
  }

  void decode_photos() {
    EncodeTimes times;
    std::unique_lock lock(mutex_);
    for (;;) {
      Batch* batch = nullptr;
      changed_.wait(lock, [&] {
        if (stopped_) return true;
        batch = open_batch_locked();
        return batch != nullptr || next_shard_ == shards_.size();
      });
      if (stopped_ || batch == nullptr) {
        times_.reading += times.reading;
        times_.decoding += times.decoding;
        return;
      }
      const int64_t slot = batch->handed_out++;
      lock.unlock();
      const PhotoItem& photo = batch->photos[static_cast<std::size_t>(slot)];
      Outcome outcome =
          decode(photos_.root, photo, options_, batch->pixels.data() + slot * kImageBytes, times);
      lock.lock();
      batch->outcomes[static_cast<std::size_t>(slot)] = std::move(outcome);
      if (--batch->missing == 0) changed_.notify_all();
    }
  }

  // Waits for `ready`, reporting meanwhile. False where the run is to stop.
  template <typename Ready>
  bool wait_reporting(std::unique_lock<std::mutex>& lock, const Ready& ready) {
    for (;;) {
      const bool is_ready = changed_.wait_for(lock, kReportInterval, [&] { return stopped_ || ready(); });
      rethrow_failure();
      if (stopped_) return false;
      lock.unlock();
      const bool go_on = !callbacks_.report || callbacks_.report(done_, refused_);
      lock.lock();
      if (!go_on) return false;
      if (is_ready) return true;
    }
  }

  // The device's stage. False where report stopped it.
  bool encode_batches(Device& device) {
    const int64_t total = total_items();
    std::unique_lock lock(mutex_);
    while (done_ < total) {
      if (!wait_reporting(lock, [&] { return !open_.empty() && open_.front()->missing == 0; })) return false;
      std::unique_ptr<Batch> batch = std::move(open_.front());
      open_.pop_front();
      lock.unlock();
      ShardContent piece = encode(device, *batch);
      done_ += batch->count;
      lock.lock();
      spare_.push_back(std::move(batch));
      changed_.notify_all();
      if (!wait_reporting(lock, [&] { return std::ssize(pieces_) < kPipelinePieces; })) return false;
      pieces_.push_back(std::move(piece));
      changed_.notify_all();
    }
    if (callbacks_.report) {
      lock.unlock();
      callbacks_.report(done_, refused_);
    }
    return true;
  }

  ShardContent encode(Device& device, Batch& batch) {
    ShardContent piece;
    piece.shard = batch.shard;
    piece.ends_shard = batch.ends_shard;
    // Refused photos leave holes that the ones behind them close.
    int64_t kept = 0;
    for (int64_t i = 0; i < batch.count; ++i) {
      if (!batch.outcomes[static_cast<std::size_t>(i)].refusal.empty()) continue;
      if (kept < i) {
        std::copy_n(batch.pixels.data() + i * kImageBytes, kImageBytes,
                    batch.pixels.data() + kept * kImageBytes);
      }
      ++kept;
    }
    piece.codes.resize(static_cast<std::size_t>(kept * kCodeLength));
    const std::span<const uint8_t> pixels(batch.pixels);
    if (kept > 0) {
      const Stopwatch encoding(encoding_);
      device.encode(pixels.first(static_cast<std::size_t>(kept * kImageBytes)), piece.codes);
    }

    // Codes that are not finite leave holes too.
    auto code = piece.codes.begin(), end_of_kept = code;
    for (Outcome& outcome : batch.outcomes) {
      if (outcome.refusal.empty()) {
        const auto end = code + kCodeLength;
        if (std::all_of(code, end, [](float value) { return std::isfinite(value); })) {
          end_of_kept = end_of_kept == code ? end : std::copy(code, end, end_of_kept);
          piece.items.push_back(std::move(outcome.item));
          piece.thumbnails.push_back(std::move(outcome.thumbnail));
        } else {
          outcome.refusal = kCodeNotFinite;
        }
        code = end;
      }
      if (outcome.refusal.empty()) continue;
      piece.refusals.push_back({outcome.item.id, outcome.item.path, outcome.refusal});
      ++refused_;
    }
    piece.codes.erase(end_of_kept, piece.codes.end());
    return piece;
  }

  void write_pieces() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return !pieces_.empty() || no_more_pieces_ || stopped_; });
      if (pieces_.empty()) return;
      ShardContent piece = std::move(pieces_.front());
      lock.unlock();
      {
        const Stopwatch writing(writing_);
        callbacks_.write(std::move(piece));
      }
      lock.lock();
      pieces_.pop_front();  // its place was taken while it was written
      changed_.notify_all();
    }
  }

  void finish_writing() {
    std::unique_lock lock(mutex_);
    no_more_pieces_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return pieces_.empty() || failure_; });
    rethrow_failure();
  }

  int decoders() const { return std::max(1, options_.decoders); }

  int64_t total_items() const {
    int64_t total = 0;
    for (const int64_t shard : shards_) total += shard_items(shard);
    return total;
  }

  int64_t shard_items(int64_t shard) const {
    return std::min(options_.shard_rows, photos_.size() - shard * options_.shard_rows);
  }

  const PhotoTable& photos_;
  const std::vector<int64_t>& shards_;
  const EncodePipelineOptions& options_;
  const EncodeCallbacks& callbacks_;
  const int64_t batch_size_;

  // Of the device's stage alone.
  int64_t done_ = 0, refused_ = 0;
  double encoding_ = 0;
  double writing_ = 0;  // of the writer's thread alone

  std::mutex mutex_;  // all that follows
  std::condition_variable changed_;
  bool stopped_ = false, no_more_pieces_ = false;
  std::exception_ptr failure_;
  EncodeTimes times_;           // of the decoders that ended
  std::size_t next_shard_ = 0;  // in shards_
  int64_t next_in_shard_ = 0;
  std::deque<std::unique_ptr<Batch>> open_;  // being filled or full, in order
  std::vector<std::unique_ptr<Batch>> spare_;
  std::deque<ShardContent> pieces_;  // encoded; the first is being written
};

}  // namespace

std::string content_hash_text(const Photo& photo) {
  return fmt::format("{:016x}{:016x}", photo.content_hash[0], photo.content_hash[1]);
}

std::string content_hash_text(const std::vector<uint8_t>& file) {
  return content_hash_text(Photo{.content_hash = content_hash(file), .width = 0, .height = 0});
}

std::string EncodeTimes::bottleneck() const {
  // Reading and decoding take turns in the same threads: the one that takes longer gives the name.
  return lookalike::bottleneck(
      {.processor_seconds = processor_seconds,
       .elapsed = elapsed,
       .cores = usable_cores(),
       .stages = {{reading > decoding ? "reading" : "decoding", reading + decoding, elapsed * decoders},
                  {"encoding", encoding, elapsed},
                  {"writing", writing, elapsed}}});
}

int64_t shard_count(int64_t items, int64_t shard_rows) { return (items + shard_rows - 1) / shard_rows; }

bool encode_shards(Device& device, const PhotoTable& photos, const std::vector<int64_t>& shards,
                   const EncodePipelineOptions& options, const EncodeCallbacks& callbacks,
                   EncodeTimes* times) {
  if (shards.empty()) return true;
  return Pipeline(photos, shards, options, callbacks).run(device, times);
}

}  // namespace lookalike
