#include "host/result_output.h"

#include <fmt/format.h>

#include <csignal>

#include "host/standard_output.h"

namespace lookalike {

ResultOutput::ResultOutput(const std::string& path) : path_(path) {
  if (path == "-") return;
  sweep_temporaries_of(path);
  file_.emplace(path);
}

void ResultOutput::write(std::string_view bytes) { file_ ? file_->write(bytes) : print_output(bytes); }

void ResultOutput::flush() {
  if (file_) file_->flush();
}

void ResultOutput::commit() {
  if (file_) file_->commit();
}

std::string ResultOutput::stopped_text(int signal) const {
  return fmt::format("stopped by SIG{}{}", sigabbrev_np(signal), file_ ? ", " + path_ + " is as it was" : "");
}

}  // namespace lookalike
