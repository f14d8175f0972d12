#include "host/commands/neighbour_flags.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "engine/error.h"
#include "host/commands/flags.h"

namespace lookalike {

void add_neighbour_flags(CLI::App& command, NeighbourFlags& typed, int64_t few, const char* of_what) {
  typed.k = std::to_string(few);
  typed.k_given =
      command
          .add_option("-k,--neighbours", typed.k,
                      fmt::format("Neighbours {}, or all; with --within all unless given", of_what))
          ->type_name("N")
          ->capture_default_str()
          ->check([](const std::string& text) { return text == "all" ? "" : whole_number(text); });
  typed.within_given =
      command
          .add_option("--within", typed.within,
                      "None farther than this distance, as --json and recommend write it; a table rounds")
          ->type_name("DISTANCE")
          ->check(real_number);
  command
      .add_option("--where", typed.wish.where,
                  "Neighbours among items that fulfil this alone: label=dress, or a condition in SQL")
      ->type_name("CONDITION")
      ->check([](const std::string& text) { return text.empty() ? "it is empty, leave it out" : ""; });
  command.add_flag("--exclude-label-of-query", typed.wish.exclude_label_of_query,
                   "No neighbours of the query's own label");
  command
      .add_option("--memory", typed.memory,
                  "Most that the program may take, as 512M or 2G; half of what is free unless given")
      ->type_name("SIZE");
}

NeighbourWish take_neighbour_flags(const NeighbourFlags& typed) {
  NeighbourWish wish = typed.wish;
  const bool within = typed.within_given->count() > 0;
  if (typed.k == "all" || (within && typed.k_given->count() == 0)) {
    wish.k = kAllNeighbours;
  } else {
    std::from_chars(typed.k.data(), typed.k.data() + typed.k.size(), wish.k);
    if (wish.k < 1) throw usage_error(fmt::format("-k is {}, take a whole number from 1 on, or all", wish.k));
    require_within("-k", wish.k, 1, kMaxNeighbours);
  }
  if (within) {
    double distance = 0;
    std::from_chars(typed.within.data(), typed.within.data() + typed.within.size(), distance);
    if (!std::isfinite(distance) || distance < 0) {
      throw usage_error(fmt::format("--within is '{}', take a distance from 0 up", typed.within));
    }
    wish.most = squared_limit(distance);
  }
  if (!typed.memory.empty()) wish.memory = parse_size("--memory", typed.memory);
  return wish;
}

}  // namespace lookalike
