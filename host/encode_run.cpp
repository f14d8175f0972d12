#include "host/encode_run.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <memory>

#include "engine/device.h"
#include "engine/error.h"
#include "engine/thread_pool.h"
#include "host/atomic_file.h"
#include "host/catalog.h"
#include "host/compact_run.h"
#include "host/encode_pipeline.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/ledger.h"
#include "host/metrics.h"
#include "host/model_file.h"
#include "host/moved_photos.h"
#include "host/photo_table.h"
#include "host/settings.h"
#include "host/shell_word.h"
#include "host/sketch_build.h"
#include "host/sketch_file.h"

namespace lookalike {
namespace {

constexpr std::size_t kReasonsShown = 5;

void say(const EncodeCommandOptions& options, const std::string& text) { say(options.talk, "encode", text); }

Settings catalog_settings(const EncodeCommandOptions& options, const Model& model, const PhotoTable& photos,
                          const DeviceFacts& device) {
  const ListIdentity identity = photos.identity();
  return {{"model", model_fingerprint(model)},
          {"photo_rule", to_string(model.rule)},
          {"photos", identity.photos},
          {"columns", identity.columns},
          {"limits", to_string(options.limits)},
          {kRootSetting, absolute_root(photos.root)},
          {"label", to_string(photos.labels)},
          {"shard_rows", std::to_string(options.shard_rows)},
          {kPrecisionSetting, to_string(options.precision)},
          {"device", device.kind},
          {"instruction_set", device.instruction_set},
          {"version", LOOKALIKE_VERSION}};
}

// The first refusals; the ledger has them all.
void say_refusals(const EncodeCommandOptions& options, const CatalogWriter& writer) {
  const std::vector<Refusal> first = writer.first_refusals(kReasonsShown);
  for (const Refusal& refusal : first) {
    say(options, fmt::format("refused {}: {}", refusal.path, refusal.reason));
  }
  const int64_t more = writer.totals().refused - std::ssize(first);
  if (more == 0) return;
  say(options, fmt::format("... and {} more: lookalike refusals -c {}", format_count(more),
                           shell_path(options.catalog)));
}

// The training's history goes with the model, for reports: the catalog stands alone.
void keep_history(const EncodeCommandOptions& options) {
  const std::string source =
      (is_folder(options.model) ? options.model : folder_of(options.model)) + "/metrics.csv";
  if (!exists(source)) return;
  try {
    read_metrics(source);
  } catch (const Error& error) {  // others write files of that name too
    say(options, fmt::format("warning: no loss curve for the report: {}", error.what()));
    return;
  }
  constexpr int64_t kMaxBytes = int64_t{256} << 20;
  const std::string history = read_file(source, kMaxBytes), kept = CatalogPaths{options.catalog}.history();
  if (exists(kept) && read_file(kept, kMaxBytes) == history) return;
  publish_file(kept, std::as_bytes(std::span(history)));
}

// What this run did, to be said.
struct Pace {
  std::string rate;        // "; 1,512 images/s"
  std::string bottleneck;  // empty: nothing was encoded
  std::string compact;     // what was made of compact codes; empty: nothing
};

void say_result(const EncodeCommandOptions& options, const CatalogWriter& writer, const Pace& pace) {
  const CatalogTotals totals = writer.totals();
  if (totals.refused > 0) say_refusals(options, writer);
  say(options, fmt::format("{} listed, {} encoded, {} refused{}", counted(totals.listed, "photo"),
                           format_count(totals.encoded), format_count(totals.refused), pace.rate));
  if (!pace.bottleneck.empty()) say(options, pace.bottleneck);
  if (!pace.compact.empty()) say(options, pace.compact);
  if (totals.encoded == 0) {
    throw no_input_error(
        fmt::format("none of the {} photos of {} can be used, lookalike refusals -c {} has the reasons",
                    format_count(totals.listed), options.photos, shell_path(options.catalog)));
  }
  say(options, "catalog: " + options.catalog);
  say(options, fmt::format("next: lookalike recommend -c {}{} -o recommendations.csv",
                           shell_path(options.catalog), options.compact > 0 ? " --codes compact" : ""));
  require_few_refused(
      options.max_bad, totals.refused, totals.listed,
      fmt::format("lookalike refusals -c {}; the catalog is whole", shell_path(options.catalog)));
}

// Where the catalog's photos were below another folder: makes sure that they are the same, and takes that
// down.
void take_over_moved_photos(const EncodeCommandOptions& options, const EncodeJob& job,
                            CatalogWriter& writer) {
  const auto before = writer.begun_with().find(kRootSetting);
  const std::string& root = job.settings.at(kRootSetting);
  if (before == writer.begun_with().end() || before->second == root) return;
  const CatalogTotals totals = writer.totals();
  Progress progress(options.talk, "check photos", totals.encoded + totals.refused);
  require_same_photos(options.catalog, root, job.model.rule, options.limits, [&](int64_t done) {
    progress.update(done, "");
    return stop_signal() == 0;
  });
  writer.move_photos(root);
}

// Encodes what is missing.
Pace encode_missing(const EncodeCommandOptions& options, const EncodeJob& job, CatalogWriter& writer) {
  const CatalogTotals before = writer.totals();
  std::vector<int64_t> missing;
  for (int64_t shard = 0; shard < before.shards; ++shard) {
    if (!writer.finished(shard)) missing.push_back(shard);
  }
  const int64_t resumed = before.encoded + before.refused;
  if (resumed > 0) say(options, "going on after " + counted(resumed, "photo"));

  Progress progress(options.talk, "encode", before.listed);
  progress.set_resumed(resumed);
  EncodeCallbacks callbacks;
  callbacks.write = [&](ShardContent piece) { writer.write(std::move(piece)); };
  callbacks.report = [&](int64_t done, int64_t refused) {
    const int64_t all = before.refused + refused;
    progress.update(resumed + done, all > 0 ? format_count(all) + " refused" : "");
    return stop_signal() == 0;
  };
  EncodeTimes times;
  const bool finished = encode_shards(*job.device, job.photos, missing, pipeline_options(options, job.model),
                                      callbacks, &times);
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
  return {fmt::format("; {} images/s", format_count(std::llround(rate))), times.bottleneck(), ""};
}

// The catalog is whole already: a stop here costs the sketches alone.
void sketch_catalog(const EncodeCommandOptions& options) {
  const CatalogReader catalog(options.catalog);
  // Those that `index` made are kept fresh.
  if (!should_have_sketches(catalog) && !exists(sketch_path(options.catalog))) return;
  Progress progress(options.talk, "index", catalog.rows());
  if (make_sketches(catalog, options.threads, false, progress).outcome != SketchOutcome::kStopped) return;
  progress.message(fmt::format("stopped by SIG{} with all codes in the catalog; next: lookalike index -c {}",
                               sigabbrev_np(stop_signal()), shell_path(options.catalog)));
  throw Interrupted(stop_signal());
}

// Before --force takes a catalog away: that the list has a photo to begin the new one with.
void require_a_photo(const EncodeCommandOptions& options, const EncodeJob& job) {
  constexpr int64_t kBlock = 256;
  std::vector<uint8_t> pixels(std::size_t{kImageBytes});
  for (int64_t first = 0; first < job.listed(); first += kBlock) {
    for (const PhotoItem& item : job.photos.items(first, kBlock)) {
      if (stop_signal() != 0) throw Interrupted(stop_signal());
      try {
        load_photo(item.path, job.model.rule, options.limits, pixels.data());
        return;
      } catch (const RefusedPhoto&) {
        continue;
      }
    }
  }
  throw no_input_error(fmt::format("none of the {} photos of {} can be used; {} is as it was",
                                   format_count(job.listed()), options.photos, options.catalog));
}

}  // namespace

EncodeJob::EncodeJob(const EncodeCommandOptions& options)
    : model(read_model(options.model)),
      device(make_device(options.device, options.threads, &reason)),
      photos(tabulate_photos(options.photos, options.labels)),
      settings(catalog_settings(options, model, photos, device->facts())) {
  device->set_precision(options.precision);
  device->set_parameters(model.parameters);
}

EncodePipelineOptions pipeline_options(const EncodeCommandOptions& options, const Model& model) {
  EncodePipelineOptions pipeline;
  pipeline.rule = model.rule;
  pipeline.limits = options.limits;
  pipeline.decoders = options.threads > 0 ? options.threads : usable_cores();
  pipeline.batch_size = options.batch_size;
  pipeline.shard_rows = options.shard_rows;
  return pipeline;
}

int run_encoding(const EncodeCommandOptions& options) {
  watch_signals();
  // Batches go back to the system when they are freed, and threads share what is smaller: glibc would come to
  // keep two of each batch, and of each thread its most.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_ARENA_MAX, 1);
  // What one photo frees the next one takes: it need not go through the system.
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
  auto job = std::make_unique<EncodeJob>(options);
  const int64_t listed = job->listed();
  if (options.force && exists(options.catalog)) require_a_photo(options, *job);
  const bool drops_compact =
      options.force && options.compact == 0 && !names_in(compact_folder(options.catalog)).empty();
  CatalogWriter writer(options.catalog, job->model, job->settings, listed,
                       shard_count(listed, options.shard_rows), options.force);
  for (const std::string& warning :
       last_bit_warnings(writer.begun_with(), job->settings, options.catalog, "codes")) {
    say(options, warning);
  }
  if (drops_compact) {
    say(options,
        fmt::format("warning: --force took the compact codes away, lookalike compact -c {} makes them anew",
                    shell_path(options.catalog)));
  }
  take_over_moved_photos(options, *job, writer);
  keep_history(options);
  Pace pace;
  if (const CatalogTotals totals = writer.totals(); totals.shards_done == totals.shards) {
    say(options, options.catalog + " is finished already, --force starts over");
  } else {
    say(options, fmt::format("{} to encode; {}", counted(listed, "photo"), job->reason));
    const std::string memory = job->device->prepare({.images = options.batch_size, .training = false});
    say_lines(options.talk, "encode", memory);
    pace = encode_missing(options, *job, writer);
  }
  writer.finish();
  // What is made of the codes gets the memory of what made them.
  job.reset();
  malloc_trim(0);
  if (options.compact > 0 && writer.totals().encoded > 0 &&
      !compact_is_fresh(CatalogReader(options.catalog), options.compact)) {
    ThreadPool pool(options.threads > 0 ? options.threads : usable_cores());
    pace.compact = make_compact(options.talk, options.catalog, options.compact, pool);
  }
  if (writer.totals().encoded > 0) sketch_catalog(options);
  say_result(options, writer, pace);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
