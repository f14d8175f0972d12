#include "host/bench_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/random.h"
#include "engine/thread_pool.h"
#include "host/atomic_file.h"
#include "host/bottleneck.h"
#include "host/catalog.h"
#include "host/encode_pipeline.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/jpeg_encode.h"
#include "host/photo_table.h"
#include "host/plan.h"
#include "host/progress.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

constexpr int64_t kSample = 256;      // photos
constexpr int64_t kOwnPictures = 32;  // 400 x 533: the commonest size of shop photos
constexpr int64_t kEncodeBatch = 128, kTrainBatch = 32, kQueries = 32, kNeighbours = 10;
constexpr int64_t kEndToEndPhotos = 1'000'000;  // more than a measurement reaches
constexpr double kUnits = 5;  // measurements share the time: decode, and for each device four

void stop_if_asked() {
  if (stop_signal() != 0) throw Interrupted(stop_signal());
}

// A folder under TMPDIR, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* set = std::getenv("TMPDIR");
    path_ = std::string(set != nullptr && *set != '\0' ? set : "/tmp") + "/lookalike-bench.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw file_error("make a folder under TMPDIR, as", path_, errno);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Calls work(), which returns how many it did, until the time is up; the rate of all but the first call.
double rate_of(double seconds, const std::function<int64_t()>& work) {
  work();
  const RunClock clock;
  int64_t done = 0;
  do {
    stop_if_asked();
    done += work();
  } while (clock.elapsed() < seconds);
  return static_cast<double>(done) / clock.elapsed();
}

// Smooth shapes with some grain: about as many bytes as a photo of a shop has.
std::vector<uint8_t> own_picture(int64_t number) {
  constexpr int kWidth = 400, kHeight = 533;
  cv::Mat picture(kHeight, kWidth, CV_8UC3);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const double wave = std::sin((x + 31.0 * static_cast<double>(number)) * 0.05) * std::cos(y * 0.03);
      picture.at<cv::Vec3b>(y, x) = {cv::saturate_cast<uint8_t>(128 + 90 * wave + (x * 37 + y * 91) % 17),
                                     cv::saturate_cast<uint8_t>(120 + 60 * wave),
                                     cv::saturate_cast<uint8_t>(x * 255 / kWidth)};
    }
  }
  constexpr int kQuality = 90;
  return encode_jpeg(picture, kQuality);
}

std::vector<PhotoItem> own_photos(const std::string& folder) {
  std::vector<PhotoItem> items;
  for (int64_t i = 0; i < kOwnPictures; ++i) {
    PhotoItem item;
    item.id = std::to_string(i);
    item.path = fmt::format("{}/{}.jpg", folder, i);
    publish_file(item.path, std::as_bytes(std::span<const uint8_t>(own_picture(i))));
    items.push_back(item);
    stop_if_asked();
  }
  return items;
}

std::vector<PhotoItem> sample_of(const PhotoTable& photos) {
  std::vector<PhotoItem> items;
  for (const int64_t place : spread_over(photos.size(), kSample)) {
    for (const PhotoItem& item : photos.items(place, 1)) items.push_back(item);
  }
  return items;
}

// The sample as the network sees it; those that cannot be used are left out of it.
std::vector<uint8_t> usable_pixels(std::vector<PhotoItem>& items, const BenchOptions& options,
                                   BenchResult& result) {
  std::vector<uint8_t> pixels, one(std::size_t{kImageBytes});
  std::vector<PhotoItem> usable;
  for (PhotoItem& item : items) {
    stop_if_asked();
    try {
      load_photo(item.path, {}, options.limits, one.data());
    } catch (const RefusedPhoto&) {
      ++result.refused;
      continue;
    }
    pixels.insert(pixels.end(), one.begin(), one.end());
    usable.push_back(std::move(item));
  }
  if (usable.empty()) {
    throw no_input_error(fmt::format("none of the {} photos tried of {} can be used, name others or none",
                                     result.refused, options.photos));
  }
  items = std::move(usable);
  return pixels;
}

// `count` images, the sample over and over.
std::vector<uint8_t> batch_of(const std::vector<uint8_t>& pixels, int64_t count) {
  std::vector<uint8_t> batch;
  const auto bytes = static_cast<std::size_t>(count * kImageBytes);
  batch.reserve(bytes);
  while (batch.size() < bytes) {
    const auto more = static_cast<std::ptrdiff_t>(std::min(pixels.size(), bytes - batch.size()));
    batch.insert(batch.end(), pixels.begin(), pixels.begin() + more);
  }
  return batch;
}

double decode_rate(const std::vector<PhotoItem>& items, const BenchOptions& options, int threads,
                   double seconds) {
  ThreadPool pool(threads);
  std::vector<uint8_t> pixels(static_cast<std::size_t>(threads * kImageBytes));
  const auto count = std::max<int64_t>(std::ssize(items), 8 * threads);
  return rate_of(seconds, [&] {
    pool.for_each(count, [&](int64_t i, int thread) {
      const PhotoItem& item = items[static_cast<std::size_t>(i % std::ssize(items))];
      try {
        load_photo(item.path, {}, options.limits, pixels.data() + thread * kImageBytes);
      } catch (const RefusedPhoto&) {  // changed since it was tried
      }
    });
    return count;
  });
}

double search_rate(Device& device, const std::vector<float>& some_codes, double seconds) {
  // Catalog rows that differ as codes do, and queries among them.
  std::vector<float> rows(static_cast<std::size_t>(kBenchRows * kCodeLength));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = some_codes[i % some_codes.size()] + 1e-3F * static_cast<float>(i % 1009);
  }
  const auto queries = std::span<const float>(rows).first(static_cast<std::size_t>(kQueries * kCodeLength));
  return rate_of(seconds, [&] {
    TopK best(kQueries, kNeighbours);
    device.nearest({.queries = queries, .rows = rows, .allowed = {}}, best);
    return kQueries;
  });
}

void end_to_end(Device& device, const Model& model, const std::vector<PhotoItem>& items,
                const BenchOptions& options, const std::string& folder, int threads, double seconds,
                DeviceRates& rates) {
  EncodePipelineOptions pipeline;
  pipeline.limits = options.limits;
  pipeline.decoders = threads;
  // Photos over and over, so that the list is never what ends it.
  PhotoTable photos("bench");
  const int64_t listed = std::min(kEndToEndPhotos, std::max<int64_t>(2048, std::llround(seconds * 20'000)));
  for (int64_t i = 0; i < listed; ++i) {
    PhotoItem item = items[static_cast<std::size_t>(i % std::ssize(items))];
    item.id = std::to_string(i);
    photos.add(item, i + 1);
  }
  const int64_t shards = shard_count(listed, pipeline.shard_rows);
  std::vector<int64_t> all;
  for (int64_t s = 0; s < shards; ++s) all.push_back(s);
  CatalogWriter writer(folder, model, {}, listed, shards, true);

  const RunClock clock;
  int64_t photos_done = 0;
  double last = 0;
  EncodeTimes times;
  const EncodeCallbacks callbacks = {[&](ShardContent piece) { writer.write(std::move(piece)); },
                                     [&](int64_t done, int64_t) {
                                       if (done > photos_done) last = clock.elapsed();
                                       photos_done = done;
                                       return stop_signal() == 0 && (done == 0 || clock.elapsed() < seconds);
                                     }};
  encode_shards(device, photos, all, pipeline, callbacks, &times);
  stop_if_asked();
  rates.end_to_end = static_cast<double>(photos_done) / std::max(last, 1e-9);
  rates.bottleneck = times.bottleneck();
}

DeviceRates measure_device(Device& device, const std::vector<PhotoItem>& items,
                           const std::vector<uint8_t>& pixels, const BenchOptions& options,
                           const std::string& folder, int threads, double seconds) {
  DeviceRates rates;
  rates.kind = device.facts().kind;
  rates.name = device.facts().name;
  Model model;
  model.parameters = initial_parameters(1);
  device.set_parameters(model.parameters);

  const std::vector<uint8_t> encode_batch = batch_of(pixels, kEncodeBatch);
  std::vector<float> codes(static_cast<std::size_t>(kEncodeBatch * kCodeLength));
  rates.encode = rate_of(seconds, [&] {
    device.encode(encode_batch, codes);
    return kEncodeBatch;
  });
  rates.search = search_rate(device, codes, seconds);
  end_to_end(device, model, items, options, folder, threads, seconds, rates);
  const std::vector<uint8_t> train_batch = batch_of(pixels, kTrainBatch);
  rates.train = rate_of(seconds, [&] {
    device.train_step(train_batch, {});
    return kTrainBatch;
  });
  return rates;
}

std::vector<std::unique_ptr<Device>> devices_for(const BenchOptions& options) {
  std::vector<std::unique_ptr<Device>> devices;
  if (options.device != "auto") {
    devices.push_back(make_device(options.device, options.threads, nullptr));
    return devices;
  }
  devices.push_back(make_device("cpu", options.threads, nullptr));
  try {
    devices.push_back(make_device("cuda", options.threads, nullptr));
  } catch (const Error&) {  // doctor says why
  }
  return devices;
}

std::string text_of(const BenchResult& result) {
  std::string text = fmt::format("{}; {} of {} cores\n", result.photos, result.threads, result.cores);
  const auto line = [&](const char* what, double rate, const char* unit, const std::string& how) {
    text += fmt::format("{:<12}{:>10} {:<10} {}\n", what, format_count(std::llround(rate)), unit, how);
  };
  line("decode", result.decode, "photos/s", "files to 150 x 150");
  for (const DeviceRates& device : result.devices) {
    text += fmt::format("{}: {}\n", device.kind, device.name);
    line("  encode", device.encode, "images/s", "in memory");
    line("  train", device.train, "images/s", fmt::format("in memory, batches of {}", kTrainBatch));
    line("  search", device.search, "queries/s",
         fmt::format("{} nearest of {}, exact", kNeighbours, format_count(kBenchRows)));
    line("  end to end", device.end_to_end, "photos/s", "files to a catalog");
    text += fmt::format("  {}\n", device.bottleneck);
  }
  return text;
}

std::string json_of(const BenchResult& result) {
  nlohmann::ordered_json devices = nlohmann::ordered_json::array();
  for (const DeviceRates& device : result.devices) {
    devices.push_back({{"kind", device.kind},
                       {"name", device.name},
                       {"encode_images_per_second", device.encode},
                       {"train_images_per_second", device.train},
                       {"search_queries_per_second", device.search},
                       {"search_rows", kBenchRows},
                       {"end_to_end_photos_per_second", device.end_to_end},
                       {"bottleneck", device.bottleneck}});
  }
  const nlohmann::ordered_json document = {{"version", LOOKALIKE_VERSION},
                                           {"photos", printable(result.photos)},
                                           {"sample", result.sample},
                                           {"refused", result.refused},
                                           {"cores", result.cores},
                                           {"threads", result.threads},
                                           {"decode_photos_per_second", result.decode},
                                           {"devices", devices}};
  return document.dump(2) + '\n';
}

}  // namespace

BenchResult measure_machine(const BenchOptions& options) {
  const std::vector<std::unique_ptr<Device>> devices = devices_for(options);
  const TemporaryFolder folder;
  BenchResult result;
  result.cores = usable_cores();
  result.threads = options.threads > 0 ? options.threads : result.cores;
  std::vector<PhotoItem> items;
  if (options.photos.empty()) {
    items = own_photos(folder.path());
    result.photos = fmt::format("{} pictures of our own, 400 x 533 JPEG", kOwnPictures);
  } else {
    items = sample_of(tabulate_photos(options.photos, {}));
  }
  const std::vector<uint8_t> pixels = usable_pixels(items, options, result);
  result.sample = std::ssize(items);
  if (!options.photos.empty()) {
    result.photos = fmt::format(
        "{} photos of {}{}", format_count(result.sample), printable(options.photos),
        result.refused > 0 ? fmt::format(", {} more cannot be used", format_count(result.refused)) : "");
  }
  const double each = options.seconds / ((kUnits - 1) * static_cast<double>(devices.size()) + 1);
  result.decode = decode_rate(items, options, result.threads, each);
  for (const auto& device : devices) {
    result.devices.push_back(
        measure_device(*device, items, pixels, options, folder.path() + "/catalog", result.threads, each));
  }
  return result;
}

int run_bench(const BenchOptions& options) {
  watch_signals();
  const BenchResult result = measure_machine(options);
  print_output(options.json ? json_of(result) : text_of(result));
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
