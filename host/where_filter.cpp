#include "host/where_filter.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

#include "engine/error.h"
#include "host/interrupt.h"
#include "host/sqlite.h"

namespace lookalike {
namespace {

constexpr std::string_view kOwnColumns[] = {"id", "path", "label", "content_hash", "width", "height"};

// Functions of their arguments alone, which take no more time and memory than those.
const std::set<std::string, std::less<>>& plain_functions() {
  static const std::set<std::string, std::less<>> names = {
      "abs",  "coalesce", "glob",      "hex",  "ifnull", "iif",     "instr", "length",
      "like", "lower",    "ltrim",     "max",  "min",    "nullif",  "round", "rtrim",
      "sign", "substr",   "substring", "trim", "typeof", "unicode", "upper"};
  return names;
}

// Names are not told apart by case, as in SQLite.
std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string quoted(char quote, std::string_view text) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += quote;
    result += c;
  }
  return result + quote;
}

std::vector<std::string> columns_of(const CatalogReader& catalog) {
  std::vector<std::string> names(std::begin(kOwnColumns), std::end(kOwnColumns));
  if (catalog.rows() == 0) return names;
  for (const auto& [name, value] : catalog.item(0).columns) {
    const auto taken = [&name = name](const std::string& other) { return lower(other) == lower(name); };
    if (std::none_of(names.begin(), names.end(), taken)) names.push_back(name);
  }
  return names;
}

Error wrong_condition(const std::string& condition, const std::string& what,
                      const std::vector<std::string>& columns) {
  std::string known;
  for (const std::string& name : columns) known += (known.empty() ? "" : ", ") + name;
  return usage_error(fmt::format("--where is \"{}\": {}; write texts in single quotes, the columns are {}",
                                 condition, what, known));
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool has_word(std::string_view text, std::string_view word) {
  const std::string all = lower(text);
  for (std::size_t at = all.find(word); at != std::string::npos; at = all.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(all[at - 1])) && (end == all.size() || !is_word(all[end]))) return true;
  }
  return false;
}

// NAME = 'TEXT' of a short form; else the condition itself.
std::string without_short_form(const std::string& condition, const std::vector<std::string>& columns) {
  const std::size_t sign = condition.find('=');
  if (sign == std::string::npos) return condition;
  const std::string_view name = std::string_view(condition).substr(0, sign);
  const std::string_view text = std::string_view(condition).substr(sign + 1);
  const auto named = [&](const std::string& column) { return lower(column) == lower(name); };
  if (std::none_of(columns.begin(), columns.end(), named)) return condition;
  if (text.find_first_of("'\"`[]()=<>") != std::string_view::npos || text.starts_with(' ')) return condition;
  if (has_word(text, "and") || has_word(text, "or")) return condition;
  return quoted('"', name) + " = " + quoted('\'', text);
}

// What a condition may do, from SQLite's own reading of it.
struct Judge {
  int selects = 0;
  std::string refused;  // what was asked for and is not allowed
};

extern "C" int judge_action(void* judge_of, int action, const char* first, const char* second, const char*,
                            const char*) {
  Judge& judge = *static_cast<Judge*>(judge_of);
  switch (action) {
    case SQLITE_READ:
      if (first != nullptr && std::strcmp(first, "items") == 0) return SQLITE_OK;
      judge.refused = fmt::format("it reads the table {}", first == nullptr ? "" : first);
      return SQLITE_DENY;
    case SQLITE_SELECT:
      if (++judge.selects == 1) return SQLITE_OK;
      judge.refused = "it has a select of its own";
      return SQLITE_DENY;
    case SQLITE_FUNCTION:
      if (second != nullptr && plain_functions().contains(lower(second))) return SQLITE_OK;
      judge.refused =
          fmt::format("the function {} is none of those allowed", second == nullptr ? "" : second);
      return SQLITE_DENY;
    default:
      judge.refused = "it is more than a condition";
      return SQLITE_DENY;
  }
}

extern "C" int should_stop(void*) { return stop_signal() != 0 ? 1 : 0; }

// The items, in a file of SQLite's own that goes with the object.
void copy_items(const CatalogReader& catalog, const std::vector<std::string>& columns, Database& database) {
  std::string definition = "CREATE TABLE items (\"its row\" INTEGER PRIMARY KEY", places = "?";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const char* type = i < 4 ? "TEXT" : i < std::size(kOwnColumns) ? "INTEGER" : "NUMERIC";
    definition += fmt::format(", {} {}", quoted('"', columns[i]), type);
    places += ", ?";
  }
  database.run(definition + ");");
  Transaction all(database);
  Statement insert(database, "INSERT INTO items VALUES (" + places + ")");
  catalog.for_each_item([&](const CatalogItem& item) {
    insert.bind(item.row, item.id, item.path, item.label, item.content_hash, item.width, item.height);
    for (std::size_t i = std::size(kOwnColumns); i < columns.size(); ++i) {
      const auto value = item.columns.find(columns[i]);
      insert.bind_at(static_cast<int>(i) + 2, value == item.columns.end() ? std::string() : value->second);
    }
    insert.insert();
  });
  all.commit();
}

class Condition {
 public:
  Condition(const Database& database, const std::string& asked, const std::vector<std::string>& columns)
      : database_(database), asked_(asked), columns_(columns), statement_(nullptr, sqlite3_finalize) {
    sqlite3* handle = database.handle();
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "no such column" is no text
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_set_authorizer(handle, judge_action, &judge_);
    sqlite3_progress_handler(handle, 10'000, should_stop, nullptr);
    // On a line of its own, and with a last word of ours: a comment cannot take away what follows it.
    const std::string sql = fmt::format("SELECT \"its row\" FROM items WHERE (\n{}\n) AND :whole",
                                        without_short_form(asked, columns));
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &statement, &tail);
    statement_.reset(statement);
    if (code != SQLITE_OK) fail(code);
    if (tail != sql.data() + sql.size() || sqlite3_bind_parameter_count(statement) != 1 ||
        std::string_view(sqlite3_bind_parameter_name(statement, 1)) != ":whole") {
      throw wrong_condition(asked, "it is more than a condition", columns);
    }
    sqlite3_bind_int(statement, 1, 1);
  }

  ~Condition() {
    sqlite3_set_authorizer(database_.handle(), nullptr, nullptr);
    sqlite3_progress_handler(database_.handle(), 0, nullptr, nullptr);
  }
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  void mark(std::vector<uint8_t>& rows) {
    for (;;) {
      const int code = sqlite3_step(statement_.get());
      if (code == SQLITE_DONE) return;
      if (code != SQLITE_ROW) fail(code);
      rows[static_cast<std::size_t>(sqlite3_column_int64(statement_.get(), 0))] = 1;
    }
  }

 private:
  [[noreturn]] void fail(int code) const {
    if (stop_signal() != 0) throw Interrupted(stop_signal());
    switch (code & 0xFF) {
      case SQLITE_ERROR:
      case SQLITE_AUTH:
      case SQLITE_TOOBIG:
      case SQLITE_MISMATCH:
        throw wrong_condition(
            asked_, judge_.refused.empty() ? sqlite3_errmsg(database_.handle()) : judge_.refused, columns_);
      default:
        database_.fail(code);
    }
  }

  const Database& database_;
  const std::string& asked_;
  const std::vector<std::string>& columns_;
  Judge judge_;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
};

}  // namespace

std::vector<uint8_t> rows_where(const CatalogReader& catalog, const std::string& condition) {
  const std::vector<std::string> columns = columns_of(catalog);
  if (condition.find('\0') != std::string::npos || condition.size() > 100'000) {
    throw wrong_condition(condition.substr(0, 40) + "...", "it is no text of at most 100,000 bytes", columns);
  }
  Database database("the items of " + catalog.folder(), Database::Access::kPrivate);
  copy_items(catalog, columns, database);
  std::vector<uint8_t> rows(static_cast<std::size_t>(catalog.rows()));
  Condition(database, condition, columns).mark(rows);
  return rows;
}

}  // namespace lookalike
