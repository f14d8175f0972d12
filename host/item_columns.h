// The other columns of an item's CSV as one text for a database.
#pragma once

#include <map>
#include <string>

namespace lookalike {

// A JSON object of texts; names and values may be any bytes.
std::string columns_text(const std::map<std::string, std::string>& columns);

// Throws std::invalid_argument for what columns_text does not write.
std::map<std::string, std::string> columns_from(const std::string& text);

}  // namespace lookalike
