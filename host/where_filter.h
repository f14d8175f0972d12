// Conditions in SQL on the items of a catalog: `--where`.
//
// A condition sees one table of its own, in a database of its own: a copy of the items' columns id, path,
// label, content_hash, width, height, and the other columns of the list that the catalog was made from, which
// hold a number where their text is one. It may use operators and the plain functions of SQLite; any other
// statement, table, function or sub-select is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/catalog.h"

namespace lookalike {

// (rows), 1 where the item fulfils the condition. NAME=TEXT, without quotes, blanks beside the sign or
// further operators, is short for NAME = 'TEXT' where NAME is a column. Throws E_USAGE, naming the condition,
// what is wrong with it and the columns. Memory: a byte an item, and 8 MB.
std::vector<uint8_t> rows_where(const CatalogReader& catalog, const std::string& condition);

}  // namespace lookalike
