// The flags of search and recommend that say which neighbours are wanted.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "host/catalog_search.h"

namespace lookalike {

// As they were typed.
struct NeighbourFlags {
  std::string k, within, memory;
  NeighbourWish wish;
  CLI::Option *k_given = nullptr, *within_given = nullptr;
};

// few: the default of -k; of_what: "a query", "an item".
void add_neighbour_flags(CLI::App& command, NeighbourFlags& typed, int64_t few, const char* of_what);

// Throws E_USAGE for what is no number or out of range.
NeighbourWish take_neighbour_flags(const NeighbourFlags& typed);

}  // namespace lookalike
