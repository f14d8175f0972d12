// Images/s of one device through engine/device.h, for bench/peers: images in memory, bytes in, codes or an
// Adam step out. Prints one JSON object a line: one for each line "SECONDS" read from standard input.
//   device_rate encode|train --weights W.bin --images I.bin --batch 32 --threads 2 [--codes C.bin]
// W: kParameterCount float32 in topology.h's order; I: (N, 150, 150, 3) bytes; C: the codes of all images,
// written before anything is timed.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"

namespace lookalike {
namespace {

template <typename Value>
std::vector<Value> read_values(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw usage_error("cannot open " + path);
  std::vector<Value> values(static_cast<std::size_t>(file.tellg()) / sizeof(Value));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(Value)));
  if (!file) throw system_error("cannot read " + path);
  return values;
}

void write_values(const std::string& path, std::span<const float> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file.flush()) throw system_error("cannot write " + path);
}

struct Options {
  std::string work, weights, images, codes;
  int64_t batch = 32;
  int threads = 0;
};

int measure(const Options& options) {
  const std::unique_ptr<Device> device = make_device("auto", options.threads, nullptr);
  const std::vector<float> weights = read_values<float>(options.weights);
  device->set_parameters(weights);
  const std::vector<uint8_t> images = read_values<uint8_t>(options.images);
  const int64_t count = static_cast<int64_t>(images.size()) / kImageBytes;
  const int64_t batch = std::min(options.batch, count);
  const auto some_images = [&](int64_t first, int64_t number) {
    return std::span(images).subspan(static_cast<std::size_t>(first * kImageBytes),
                                     static_cast<std::size_t>(number * kImageBytes));
  };
  if (!options.codes.empty()) {
    std::vector<float> codes(static_cast<std::size_t>(count * kCodeLength));
    device->encode(some_images(0, count), codes);
    write_values(options.codes, codes);
  }

  std::vector<float> codes(static_cast<std::size_t>(batch * kCodeLength));
  const auto one_batch = [&](int64_t first) {
    if (options.work == "encode") {
      device->encode(some_images(first, batch), codes);
    } else {
      device->train_step(some_images(first, batch), AdamOptions{});
    }
  };
  for (double seconds = 0; std::cin >> seconds;) {
    one_batch(0);  // memory and clocks
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    int64_t done = 0;
    std::chrono::duration<double> elapsed{};
    for (int64_t first = 0; elapsed.count() < seconds; elapsed = Clock::now() - start) {
      one_batch(first);
      done += batch;
      first = first + 2 * batch <= count ? first + batch : 0;
    }
    fmt::print("{{\"images_per_second\": {:.2f}, \"device\": \"{}\"}}\n",
               static_cast<double>(done) / elapsed.count(), device->facts().name);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace lookalike

int main(int argc, char** argv) {
  lookalike::Options options;
  CLI::App app("Images/s of one device, images in memory.");
  app.add_option("work", options.work, "encode or train")
      ->required()
      ->check(CLI::IsMember({"encode", "train"}));
  app.add_option("--weights", options.weights, "float32, all parameters")->required();
  app.add_option("--images", options.images, "bytes, (N, 150, 150, 3)")->required();
  app.add_option("--batch", options.batch, "images")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", options.threads, "0: every core")->capture_default_str();
  app.add_option("--codes", options.codes, "write the codes of all images here first");
  CLI11_PARSE(app, argc, argv);
  try {
    return lookalike::measure(options);
  } catch (const lookalike::Error& error) {
    fmt::print(stderr, "device_rate: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
