#include <fmt/format.h>
#include <gif_lib.h>
#include <hwy/highway.h>
#include <jconfig.h>
#include <sqlite3.h>
#include <tiffio.h>
#include <xxhash.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/command_line.h"
#include "host/memory.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

using nlohmann::ordered_json;

constexpr const char* kDescription =
    "Show what this machine offers: devices, instruction sets, versions\n"
    "\n"
    "Examples:\n"
    "  lookalike doctor\n"
    "  lookalike doctor --json | jq .devices\n";

#ifdef __clang__
constexpr const char* kCompiler = "Clang " __clang_version__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

constexpr int64_t kGiB = int64_t{1} << 30;

// A device, or why it cannot be had.
ordered_json probe(const std::string& name) {
  try {
    const DeviceFacts facts = make_device(name, 0, nullptr)->facts();
    return {{"kind", name},
            {"usable", true},
            {"name", facts.name},
            {"instruction_set", facts.instruction_set},
            {"memory_bytes", facts.memory_bytes},
            {"threads", facts.threads}};
  } catch (const Error& error) {
    return {{"kind", name}, {"usable", false}, {"reason", error.what()}};
  }
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  const int64_t supported = hwy::SupportedTargets();
  // A smaller bit is a better set.
  for (int bit = 62; bit >= 0; --bit) {
    const int64_t target = int64_t{1} << bit;
    if ((supported & HWY_TARGETS & target) != 0) names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

// 90100 -> 9.1.0
std::string dotted(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

// The number alone of "LIBTIFF, Version 4.5.0" and its copyright.
std::string tiff_version() {
  const std::string text = TIFFGetVersion();
  const size_t start = text.find_first_of("0123456789");
  return start == std::string::npos ? text : text.substr(start, text.find('\n') - start);
}

ordered_json examine() {
  std::string reason;
  make_device("auto", 0, &reason);
  return {{"version", LOOKALIKE_VERSION},
          {"auto", reason},
          {"devices", {probe("cpu"), probe("cuda")}},
          {"cores", usable_cores()},
          {"free_memory_bytes", free_memory_bytes()},
          {"instruction_sets", instruction_sets()},
          {"libraries",
           {{"OpenCV", cv::getVersionString()},
            {"libjpeg-turbo", HWY_STR(LIBJPEG_TURBO_VERSION)},
            {"libtiff", tiff_version()},
            {"giflib", fmt::format("{}.{}.{}", GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE)},
            {"SQLite", sqlite3_libversion()},
            {"Highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)},
            {"xxHash", dotted(static_cast<int>(XXH_versionNumber()))},
            {"fmt", dotted(FMT_VERSION)},
            {"CLI11", CLI11_VERSION},
            {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                          NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)}}},
          {"build",
           {{"compiler", kCompiler},
#ifdef NDEBUG
            {"assertions", false}
#else
            {"assertions", true}
#endif
           }}};
}

std::string text_of(const ordered_json& facts) {
  const auto text = [](const ordered_json& value) { return value.get<std::string>(); };
  std::string out = fmt::format("lookalike {}\n", text(facts["version"]));
  out += fmt::format("{:<18}{}\n", "device auto", text(facts["auto"]));
  for (const ordered_json& device : facts["devices"]) {
    const std::string label = "device " + text(device["kind"]);
    if (!device["usable"].get<bool>()) {
      out += fmt::format("{:<18}not usable: {}\n", label, text(device["reason"]));
      continue;
    }
    const auto threads = device["threads"].get<int64_t>();
    out +=
        fmt::format("{:<18}{}{}, {:.1f} GiB\n", label, text(device["name"]),
                    threads > 0 ? fmt::format(", {} threads", threads) : "",
                    static_cast<double>(device["memory_bytes"].get<int64_t>()) / static_cast<double>(kGiB));
  }
  out += fmt::format("{:<18}{}\n", "cores", facts["cores"].get<int64_t>());
  out +=
      fmt::format("{:<18}{:.1f} GiB\n", "free memory",
                  static_cast<double>(facts["free_memory_bytes"].get<int64_t>()) / static_cast<double>(kGiB));
  std::string sets;
  for (const ordered_json& name : facts["instruction_sets"]) sets += (sets.empty() ? "" : " ") + text(name);
  out += fmt::format("{:<18}{} (the last is used)\n", "instruction sets", sets);
  for (const auto& [name, version] : facts["libraries"].items()) {
    out += fmt::format("{:<18}{}\n", name, text(version));
  }
  out += fmt::format("{:<18}{}{}\n", "compiler", text(facts["build"]["compiler"]),
                     facts["build"]["assertions"].get<bool>() ? ", with assertions" : "");
  return out;
}

}  // namespace

void add_doctor_command(CLI::App& app, Run& run) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", kDescription);
  command->add_flag("--json", *json, "One JSON document in place of text");
  command->callback([json, &run] {
    run = [json] {
      const ordered_json facts = examine();
      print_output(*json ? facts.dump(2) + '\n' : text_of(facts));
      return static_cast<int>(ExitCode::kDone);
    };
  });
}

}  // namespace lookalike
