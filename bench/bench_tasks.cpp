// Whole tasks, from files to files on every core: JPEG photos to a catalog, photos to a model (one epoch),
// queries to neighbours in a catalog on disk with its sketches. Items are photos or queries; a search's time
// leaves out opening the catalog.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/core.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "engine/thread_pool.h"
#include "host/catalog_search.h"
#include "host/encode_run.h"
#include "host/jpeg_encode.h"
#include "host/model_file.h"
#include "host/sketch_build.h"
#include "host/train_run.h"

namespace lookalike {
namespace {

constexpr Talk kSilent{ProgressStyle::kNone, true};

// A folder with photos of 400x533, the commonest size of shop photos, and what is made of them.
class Shop {
 public:
  explicit Shop(int64_t photos) {
    std::string name = (std::filesystem::temp_directory_path() / "lookalike-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder at " + name);
    root_ = name;
    std::filesystem::create_directory(at("photos"));
    for (int64_t i = 0; i < photos; ++i) {
      const std::vector<uint8_t> file = photo(static_cast<double>(i));
      std::ofstream(fmt::format("{}/{}.jpg", at("photos"), i), std::ios::binary)
          .write(reinterpret_cast<const char*>(file.data()), std::ssize(file));
    }
  }
  ~Shop() { std::filesystem::remove_all(root_); }
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  std::string at(const std::string& name) const { return root_ + "/" + name; }

 private:
  // Smooth shapes with some grain, at the quality of cameras.
  static std::vector<uint8_t> photo(double number) {
    cv::Mat picture(533, 400, CV_8UC3);
    for (int y = 0; y < picture.rows; ++y) {
      for (int x = 0; x < picture.cols; ++x) {
        const double wave = std::sin((x + 31 * number) * 0.05) * std::cos(y * 0.03);
        picture.at<cv::Vec3b>(y, x) = {cv::saturate_cast<uint8_t>(128 + 90 * wave + (x * 37 + y * 91) % 17),
                                       cv::saturate_cast<uint8_t>(120 + 60 * wave),
                                       cv::saturate_cast<uint8_t>(x * 255 / picture.cols)};
      }
    }
    return encode_jpeg(picture, 90);
  }

  std::string root_;
};

void require_success(int exit_code) {
  if (exit_code != 0) throw std::runtime_error(fmt::format("exit code {}", exit_code));
}

// Argument: photos.
void encode(benchmark::State& state) {
  const Shop shop(state.range(0));
  Model model;
  model.parameters = initial_parameters(1);
  write_model(shop.at("model"), model);
  EncodeCommandOptions options;
  options.photos = shop.at("photos");
  options.model = shop.at("model");
  options.catalog = shop.at("catalog");
  options.device = "cpu";
  options.talk = kSilent;
  options.force = true;
  for (auto _ : state) require_success(run_encoding(options));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

// Argument: photos, one in ten for the validation.
void train_an_epoch(benchmark::State& state) {
  const Shop shop(state.range(0));
  TrainCommandOptions options;
  options.photos = shop.at("photos");
  options.model = shop.at("model");
  options.training.epochs = 1;
  options.device = "cpu";
  options.talk = kSilent;
  options.force = true;
  for (auto _ : state) require_success(run_training(options));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(train_an_epoch)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);

// Rows in 40 directions about a few points, as products are.
std::vector<float> product_codes(int64_t rows) {
  constexpr int kKinds = 9, kDirections = 40;
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  const auto floats = [&](int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(generator);
    return values;
  };
  const std::vector<float> points = floats(kKinds * kCodeLength), axes = floats(kDirections * kCodeLength);
  std::vector<float> codes;
  codes.reserve(static_cast<std::size_t>(rows * kCodeLength));
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<float> code(points.begin() + r % kKinds * kCodeLength,
                            points.begin() + (r % kKinds + 1) * kCodeLength);
    for (int a = 0; a < kDirections; ++a) {
      const float weight = 0.5F * normal(generator) / static_cast<float>(1 + a);
      const float* axis = axes.data() + int64_t{a} * kCodeLength;
      for (std::size_t i = 0; i < code.size(); ++i) code[i] += weight * axis[i];
    }
    codes.insert(codes.end(), code.begin(), code.end());
  }
  return codes;
}

void make_catalog(const std::string& folder, const std::vector<float>& codes, ThreadPool& pool) {
  ShardContent content;
  content.codes = codes;
  const int64_t rows = std::ssize(codes) / kCodeLength;
  for (int64_t r = 0; r < rows; ++r) {
    CatalogItem item;
    item.id = item.path = std::to_string(r);
    item.content_hash = fmt::format("{:032x}", r);
    item.width = item.height = 1;
    content.items.push_back(item);
    content.thumbnails.push_back({0xFF});
  }
  {
    Model model;
    model.parameters = initial_parameters(1);
    CatalogWriter writer(folder, model, {}, rows, 1, false);
    writer.write(std::move(content));
    writer.finish();
  }
  build_sketches(CatalogReader(folder), pool, true, [](int64_t) { return true; });
}

// Arguments: queries, rows.
void search_catalog(benchmark::State& state) {
  const int64_t count = state.range(0);
  const Shop shop(0);
  ThreadPool pool(usable_cores());
  const std::vector<float> codes = product_codes(state.range(1));
  make_catalog(shop.at("catalog"), codes, pool);
  const CatalogReader catalog(shop.at("catalog"));
  const auto device = make_cpu_device(0);
  CatalogSearchOptions options;
  options.queries = options.at_once = count;
  CatalogSearch search(catalog, *device, options);
  SearchQueries queries;
  queries.codes = std::span(codes).first(static_cast<std::size_t>(count * kCodeLength));
  SearchLimits limits;
  limits.k = 10;
  for (auto _ : state) benchmark::DoNotOptimize(search.nearest(queries, limits));
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(search_catalog)->Args({1, 4096})->Args({256, 4096})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lookalike
