#include "host/item_columns.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "host/bytes_text.h"

namespace lookalike {

std::string columns_text(const std::map<std::string, std::string>& columns) {
  if (columns.empty()) return "{}";
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : columns) object[bytes_to_text(name)] = bytes_to_text(value);
  return object.dump();
}

std::map<std::string, std::string> columns_from(const std::string& text) {
  std::map<std::string, std::string> columns;
  if (text == "{}") return columns;
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
  bool good = object.is_object();
  for (auto it = object.begin(); good && it != object.end(); ++it) {
    good = it->is_string();
    if (good) columns[text_to_bytes(it.key())] = text_to_bytes(it->get<std::string>());
  }
  if (!good) throw std::invalid_argument("the columns of an item are not an object of texts");
  return columns;
}

}  // namespace lookalike
