#include "host/refusals.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/csv.h"
#include "host/progress.h"

namespace lookalike {

std::string refusals_csv(const std::vector<Refusal>& refusals) {
  std::string text = "id,path,reason\n";
  for (const Refusal& refusal : refusals) {
    text += quoted_csv_field(refusal.id) + ',' + quoted_csv_field(refusal.path) + ',' +
            quoted_csv_field(refusal.reason) + '\n';
  }
  return text;
}

std::string refusals_json(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const Refusal& refusal : refusals) {
    const nlohmann::ordered_json line = {{"id", bytes_to_text(refusal.id)},
                                         {"path", bytes_to_text(refusal.path)},
                                         {"reason", bytes_to_text(refusal.reason)}};
    text += line.dump() + '\n';
  }
  return text;
}

RefusalLimit parse_refusal_limit(const std::string& text) {
  RefusalLimit limit;
  const bool share = text.ends_with('%');
  const char* end = text.data() + text.size() - (share ? 1 : 0);
  const auto [stop, error] = share
                                 ? std::from_chars(text.data(), end, limit.percent, std::chars_format::fixed)
                                 : std::from_chars(text.data(), end, limit.count);
  const bool possible = share ? limit.percent >= 0 && limit.percent <= 100 : limit.count >= 0;
  if (error != std::errc() || stop != end || !possible) {
    throw usage_error(fmt::format("--max-bad is '{}', take a share as 2% or a number of photos", text));
  }
  return limit;
}

std::string to_string(const RefusalLimit& limit) {
  return limit.percent >= 0 ? fmt::format("{}%", limit.percent) : fmt::format("{}", limit.count);
}

void require_few_refused(const RefusalLimit& limit, int64_t refused, int64_t listed, const std::string& see) {
  // A decimal share is no double: the margin lets a share of exactly that many through.
  constexpr double kMargin = 1 + 1e-12;
  const double most = limit.percent * static_cast<double>(listed) * kMargin;
  const bool above_share = limit.percent >= 0 && 100 * static_cast<double>(refused) > most;
  const bool above_count = limit.count >= 0 && refused > limit.count;
  if (!above_share && !above_count) return;
  throw too_many_refused_error(fmt::format("{} of {} photos were refused, more than --max-bad {}, see {}",
                                           format_count(refused), format_count(listed), to_string(limit),
                                           see));
}

}  // namespace lookalike
