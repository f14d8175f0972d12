// `lookalike bench`: what this machine does in a second, for someone choosing hardware.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/photo.h"

namespace lookalike {

struct BenchOptions {
  std::string photos;           // folder, list file or .csv; empty: pictures of our own
  std::string device = "auto";  // auto: the CPU, and cuda where it can be had
  int threads = 0;              // that decode, and of the CPU; 0: one for each core
  double seconds = 10;          // for all measurements together, about
  bool json = false;
  PhotoLimits limits;
};

// Rates of one device; 0 where it was not measured.
struct DeviceRates {
  std::string kind, name;
  double encode = 0;      // images/s, in memory
  double train = 0;       // images/s, steps of 32 in memory
  double search = 0;      // queries/s over kBenchRows codes, exact, without a sketch
  double end_to_end = 0;  // photos/s, from files to a catalog on disk
  std::string bottleneck;
};

inline constexpr int64_t kBenchRows = 10'000;

struct BenchResult {
  std::string photos;  // what was decoded
  int64_t sample = 0;  // photos
  int64_t refused = 0;
  int cores = 0, threads = 0;
  double decode = 0;  // photos/s from files, all threads
  std::vector<DeviceRates> devices;
};

// Leaves nothing behind: what end to end writes lies in a folder under TMPDIR that is removed. Throws Error;
// Interrupted once a stop was asked for.
BenchResult measure_machine(const BenchOptions& options);

// Prints text or JSON; the process's exit code.
int run_bench(const BenchOptions& options);

}  // namespace lookalike
