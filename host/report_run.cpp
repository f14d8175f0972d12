#include "host/report_run.h"

#include <fmt/format.h>

#include <csignal>
#include <optional>

#include "engine/error.h"
#include "host/atomic_file.h"
#include "host/catalog_checks.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/ledger.h"
#include "host/report_page.h"

namespace lookalike {
namespace {

void say(const ReportCommandOptions& options, const std::string& text) { say(options.talk, "report", text); }

// A bar for each task in turn; stops where a signal asked to.
class Tasks {
 public:
  explicit Tasks(const ReportCommandOptions& options) : options_(options) {}

  void update(const char* task, int64_t done, int64_t of) {
    if (task_ != task) {
      progress_.reset();
      progress_.emplace(options_.talk, task, of);
      task_ = task;
    }
    progress_->update(done, "");
    if (stop_signal() == 0) return;
    progress_.reset();
    say(options_,
        fmt::format("stopped by SIG{}, {} is as it was", sigabbrev_np(stop_signal()), options_.output));
    throw Interrupted(stop_signal());
  }

 private:
  const ReportCommandOptions& options_;
  std::string task_;
  std::optional<Progress> progress_;
};

ReportData collect(const ReportCommandOptions& options, Device& device, const CatalogReader& catalog) {
  Tasks tasks(options);
  ReportWork work;
  work.items = options.items;
  work.neighbours = options.k;
  work.collapse = options.collapse;
  return collect_report(device, catalog, work,
                        [&](const char* task, int64_t done, int64_t of) { tasks.update(task, done, of); });
}

// What the reader of the page gets less of than was asked for.
void say_limits(const ReportCommandOptions& options, const ReportData& data, const ReportFit& fit,
                const ReportSize& size) {
  const int64_t shown = std::ssize(data.items);
  if (shown < data.totals.encoded) {
    say(options,
        fmt::format("a sample: {} of {} products, evenly spread; neighbours are of the whole catalog",
                    format_count(shown), format_count(data.totals.encoded)));
  }
  const std::string bound = fmt::format("to stay within {} MB", kReportBytes / 1'000'000);
  if (fit.thinned) say(options, fmt::format("fewer products than --items {} {}", options.items, bound));
  if (fit.halved) say(options, "pictures at half size " + bound);
  if (size.others_without_picture > 0) {
    say(options, fmt::format("{} neighbours outside the sample have no picture {}",
                             format_count(size.others_without_picture), bound));
  }
  if (data.history.empty()) {
    say(options, "no loss curve: the catalog has no metrics.csv, which encode takes from the model's folder");
  }
}

}  // namespace

int run_report(const ReportCommandOptions& options) {
  watch_signals();
  const CatalogReader catalog(options.catalog, options.codes);
  require_items(catalog);
  const auto device = make_device(options.device, options.threads, nullptr);
  device->set_parameters(catalog.model().parameters);
  // Before the work: a name that cannot be written says so at once.
  sweep_temporaries_of(options.output);
  AtomicFile file(options.output);
  if (!exists(CatalogPaths{catalog.folder()}.thumbnails())) {
    say(options, fmt::format("warning: no pictures, {} has lost its thumbs.sqlite", options.catalog));
  }
  if (const std::string text = unfinished_warning(catalog, "shown"); !text.empty()) say(options, text);
  ReportData data = collect(options, *device, catalog);
  const ReportFit fit = fit_report(data, kReportBytes);
  add_pairs(*device, catalog, data);
  const ReportSize size = write_report(
      data, fit, [&](int64_t row) { return catalog.thumbnail(row); },
      [&](std::string_view text) { file.write(text); });
  file.commit();
  say_limits(options, data, fit, size);
  say(options,
      fmt::format("{} products with {} neighbours each, {:.1f} MB", format_count(std::ssize(data.items)),
                  std::ssize(data.items.front().neighbours), static_cast<double>(size.bytes) / 1e6));
  say(options, "report: " + options.output);
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
