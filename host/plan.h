// What the dry runs of train and encode share: the plan as text, and what it is made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike {

// Lines "name  text", the names in a column.
class Plan {
 public:
  void add(const std::string& name, const std::string& text);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// "512 bytes", "1.5 MiB".
std::string format_bytes(int64_t bytes);

// At most `most` places of a list, evenly spread, ascending.
std::vector<int64_t> spread_over(int64_t listed, int64_t most);

// 0 for what is no file or not there.
int64_t bytes_of_file(const std::string& path);

// "12.3 GiB free" where `path` is or will be, empty where that cannot be told; and whether `bytes` fit.
std::string free_space_text(const std::string& path, int64_t bytes);

}  // namespace lookalike
