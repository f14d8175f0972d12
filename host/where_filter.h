// Conditions in SQL on the items of a catalog: `--where`.
//
// A condition sees one table of its own, in a database of its own: some items at a time, with their columns
// id, path, label, content_hash, width, height, and the other columns of the list that the catalog was made
// from. A cell of these is a number where it is written as one (12, -0.5, 19.90; not 007, 1e3 or more than 18
// digits), NULL where it is empty, else a text, which SQLite sorts above numbers. Where two columns have one
// name, whatever its case, naming it is refused. A condition may use operators and the plain functions of
// SQLite; any other statement, table, function or sub-select is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/catalog.h"

namespace lookalike {

// (rows), 1 where the item fulfils the condition. NAME=TEXT, without quotes, blanks beside the sign or
// further operators, is short for: the text in column NAME is TEXT. Throws E_USAGE, naming the condition,
// what is wrong with it and the columns. Memory: a byte an item, and 8 MB.
std::vector<uint8_t> rows_where(const CatalogReader& catalog, const std::string& condition);

}  // namespace lookalike
