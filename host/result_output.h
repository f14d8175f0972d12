// Where a command's result goes: a file that is published whole, or standard output.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/atomic_file.h"

namespace lookalike {

class ResultOutput {
 public:
  // "-" is standard output. Made before the work: a name that cannot be written throws E_SYSTEM at once.
  explicit ResultOutput(const std::string& path);

  bool is_file() const { return file_.has_value(); }
  void write(std::string_view bytes);  // errors as those of AtomicFile and print_output
  void flush();                        // what of commit() can run out of space
  void commit();                       // publishes the file

  // "stopped by SIGINT, table.csv is as it was"
  std::string stopped_text(int signal) const;

 private:
  std::string path_;
  std::optional<AtomicFile> file_;
};

}  // namespace lookalike
