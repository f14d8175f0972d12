#include "host/encode_run.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/catalog.h"
#include "host/encode_pipeline.h"
#include "host/interrupt.h"
#include "host/model_file.h"
#include "host/photo_table.h"

namespace lookalike {
namespace {

using Settings = std::map<std::string, std::string>;

constexpr std::size_t kReasonsShown = 5;

// Kept with a catalog and not compared with it: they can change no more than the codes' last bits.
constexpr const char* kNotCompared[] = {"instruction_set", "version"};

void say(const EncodeCommandOptions& options, const std::string& text) { say(options.talk, "encode", text); }

Settings catalog_settings(const EncodeCommandOptions& options, const Model& model, const PhotoTable& photos,
                          const DeviceFacts& device) {
  return {{"model", model_fingerprint(model)},
          {"photo_rule", to_string(model.rule)},
          {"photos", photos.fingerprint()},
          {"label", to_string(photos.labels)},
          {"shard_rows", std::to_string(options.shard_rows)},
          {"precision", "float32"},
          {"device", device.kind},
          {"instruction_set", device.instruction_set},
          {"version", LOOKALIKE_VERSION}};
}

// The settings of a catalog to go on with; none where there is none that can be read, which the writer then
// judges.
Settings stored_settings(const EncodeCommandOptions& options) {
  if (options.force) return {};
  try {
    return CatalogReader(options.catalog).settings();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage && error.code() != ExitCode::kDamaged) throw;
    return {};
  }
}

// A catalog keeps what it was begun with.
void take_over_what_is_not_compared(const EncodeCommandOptions& options, Settings& settings) {
  const Settings stored = stored_settings(options);
  for (const char* key : kNotCompared) {
    const auto before = stored.find(key);
    if (before == stored.end() || before->second == settings.at(key)) continue;
    say(options,
        fmt::format("warning: {} was {} when {} was begun and is now {}: codes can differ in their last bits "
                    "from an unbroken run",
                    key, before->second, options.catalog, settings.at(key)));
    settings[key] = before->second;
  }
}

int decoders(const EncodeCommandOptions& options) {
  return options.threads > 0 ? options.threads : usable_cores();
}

// Refusals by reason and example; the ledger has them all.
void say_refusals(const EncodeCommandOptions& options) {
  const std::vector<Refusal> refusals = CatalogReader(options.catalog).refusals();
  for (std::size_t i = 0; i < std::min(refusals.size(), kReasonsShown); ++i) {
    say(options, fmt::format("refused {}: {}", refusals[i].path, refusals[i].reason));
  }
  if (refusals.size() <= kReasonsShown) return;
  say(options,
      fmt::format("... and {} more, all in the table `refusals` of {}/catalog.sqlite",
                  format_count(std::ssize(refusals) - static_cast<int64_t>(kReasonsShown)), options.catalog));
}

void say_result(const EncodeCommandOptions& options, const CatalogTotals& totals, const std::string& rate) {
  if (totals.refused > 0) say_refusals(options);
  say(options, fmt::format("{} photos listed, {} encoded, {} refused{}", format_count(totals.listed),
                           format_count(totals.encoded), format_count(totals.refused), rate));
  if (totals.encoded == 0) {
    throw no_input_error(fmt::format("none of the {} photos of {} can be used, see the reasons above",
                                     format_count(totals.listed), options.photos));
  }
  say(options, "catalog: " + options.catalog);
  say(options, fmt::format("next: lookalike recommend -c {} -o recommendations.csv", options.catalog));
}

// Encodes what is missing; the rate, to be said.
std::string encode_missing(const EncodeCommandOptions& options, const Model& model, const PhotoTable& photos,
                           Device& device, CatalogWriter& writer) {
  const CatalogTotals before = writer.totals();
  std::vector<int64_t> missing;
  for (int64_t shard = 0; shard < before.shards; ++shard) {
    if (!writer.finished(shard)) missing.push_back(shard);
  }
  const int64_t resumed = before.encoded + before.refused;
  if (resumed > 0) say(options, fmt::format("going on after {} photos", format_count(resumed)));

  EncodePipelineOptions pipeline;
  pipeline.rule = model.rule;
  pipeline.decoders = decoders(options);
  pipeline.batch_size = options.batch_size;
  pipeline.shard_rows = options.shard_rows;

  Progress progress(options.talk, "encode", before.listed);
  progress.set_resumed(resumed);
  EncodeCallbacks callbacks;
  callbacks.commit = [&](const ShardContent& shard) { writer.commit_shard(shard); };
  callbacks.report = [&](int64_t done, int64_t refused) {
    const int64_t all = before.refused + refused;
    progress.update(resumed + done, all > 0 ? format_count(all) + " refused" : "");
    return stop_signal() == 0;
  };
  const bool finished = encode_shards(device, photos, missing, pipeline, callbacks);
  const CatalogTotals after = writer.totals();
  if (!finished) {
    const int64_t kept = after.encoded + after.refused;
    progress.message(
        fmt::format("stopped by SIG{} with {} of {} photos in whole shards; the same command "
                    "goes on there",
                    sigabbrev_np(stop_signal()), format_count(kept), format_count(after.listed)));
    throw Interrupted(stop_signal());
  }
  const double rate = static_cast<double>(before.listed - resumed) / std::max(progress.seconds(), 1e-9);
  return fmt::format("; {} images/s", format_count(std::llround(rate)));
}

}  // namespace

int run_encoding(const EncodeCommandOptions& options) {
  watch_signals();
  // Shards and batches go back to the system when they are freed; glibc would come to keep two of each.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  const Model model = read_model(options.model);
  std::string reason;
  const auto device = make_device(options.device, options.threads, &reason);
  device->set_parameters(model.parameters);
  const PhotoTable photos = tabulate_photos(options.photos, options.labels);
  const int64_t listed = photos.size();

  Settings settings = catalog_settings(options, model, photos, device->facts());
  take_over_what_is_not_compared(options, settings);
  CatalogTotals totals;
  std::string rate;
  {
    CatalogWriter writer(options.catalog, model, settings, listed, shard_count(listed, options.shard_rows),
                         options.force);
    totals = writer.totals();
    if (totals.shards_done == totals.shards) {
      say(options, options.catalog + " is finished already, --force starts over");
    } else {
      say(options, fmt::format("{} photos to encode; {}", format_count(listed), reason));
      rate = encode_missing(options, model, photos, *device, writer);
      totals = writer.totals();
    }
    writer.finish();
  }
  say_result(options, totals, rate);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
