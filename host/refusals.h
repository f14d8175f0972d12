// Photos that could not be used: told of, listed, and too many of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike {

struct Refusal {
  std::string id, path, reason;
};

// CSV with the columns id, path, reason; names byte for byte.
std::string refusals_csv(const std::vector<Refusal>& refusals);
// A JSON object a line. What is not UTF-8 is written as bytes_to_text does.
std::string refusals_json(const std::vector<Refusal>& refusals);

// How many refused photos are too many: above `count` photos, or above `percent` of those listed. Negative:
// no limit.
struct RefusalLimit {
  double percent = -1;
  int64_t count = -1;
};

// "2%", "0.5%" or "10" photos. Throws E_USAGE naming --max-bad.
RefusalLimit parse_refusal_limit(const std::string& text);
std::string to_string(const RefusalLimit& limit);

// Throws E_TOO_MANY_REFUSED with both numbers and `see`: where the reasons are.
void require_few_refused(const RefusalLimit& limit, int64_t refused, int64_t listed, const std::string& see);

}  // namespace lookalike
