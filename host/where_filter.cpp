#include "host/where_filter.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
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

// What a condition can name, and the names that would mean two columns.
struct Columns {
  std::vector<std::string> names;   // kOwnColumns first
  std::set<std::string> ambiguous;  // in lower case
  std::string prefix;               // that no name begins with: of columns that conditions do not know
};

Columns columns_of(const CatalogReader& catalog) {
  Columns columns;
  columns.names.assign(std::begin(kOwnColumns), std::end(kOwnColumns));
  if (catalog.rows() > 0) {
    for (const auto& [name, value] : catalog.item(0).columns) {
      const auto taken = [&name = name](const std::string& other) { return lower(other) == lower(name); };
      if (std::none_of(columns.names.begin(), columns.names.end(), taken)) {
        columns.names.push_back(name);
      } else {
        columns.ambiguous.insert(lower(name));
      }
    }
  }
  const auto begun = [&](const std::string& name) { return name.starts_with(columns.prefix); };
  do columns.prefix += '#';
  while (std::any_of(columns.names.begin(), columns.names.end(), begun));
  return columns;
}

// Of the list's columns: the text as it is, beside its value.
std::string text_column(const Columns& columns, std::size_t index) {
  return index < std::size(kOwnColumns) ? columns.names[index] : columns.prefix + std::to_string(index);
}

// Digits as people write numbers, which come back as they were: no leading zeros, no exponent, few enough.
bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view whole = text.substr(0, text.find('.'));
  const bool fraction = whole.size() < text.size();
  const std::string_view rest = fraction ? text.substr(whole.size() + 1) : std::string_view();
  const auto digits = [](std::string_view some) {
    return !some.empty() && some.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!digits(whole) || (whole.size() > 1 && whole[0] == '0') || (fraction && !digits(rest))) return false;
  return whole.size() + rest.size() <= (fraction ? 15U : 18U);
}

Error wrong_condition(const std::string& condition, const std::string& what, const Columns& columns) {
  std::string known;
  for (const std::string& name : columns.names) known += (known.empty() ? "" : ", ") + name;
  return usage_error(fmt::format("--where is \"{}\": {}; write texts in single quotes, the columns are {}",
                                 condition, what, known));
}

// SQLite's words, where they would quote what stands around the condition.
std::string explained(const std::string& says) {
  if (says.starts_with("unrecognized token: \"'")) return "a quote is not closed";
  if (says == "near \")\": syntax error")
    return "syntax error: it ends too early, or a bracket is not opened";
  return says;
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
std::string without_short_form(const std::string& condition, const Columns& columns) {
  const std::size_t sign = condition.find('=');
  if (sign == std::string::npos) return condition;
  const std::string name = lower(std::string_view(condition).substr(0, sign));
  const std::string_view text = std::string_view(condition).substr(sign + 1);
  const auto index_of = [&](std::string_view wanted) {
    const auto same = [&](const std::string& column) { return lower(column) == lower(wanted); };
    return static_cast<std::size_t>(std::find_if(columns.names.begin(), columns.names.end(), same) -
                                    columns.names.begin());
  };
  const std::size_t index = index_of(name);
  if (index == columns.names.size()) return condition;
  if (text.find_first_of("\"`[]()=<>") != std::string_view::npos || text.starts_with(' ')) return condition;
  // Quotes in pairs are SQL's, a single one is of the text: O'Neil.
  const auto quotes = std::count(text.begin(), text.end(), '\'');
  if (quotes > 0 && quotes % 2 == 0) return condition;
  if (has_word(text, "and") || has_word(text, "or")) return condition;
  if (columns.ambiguous.contains(name)) return quoted('"', name) + " = ''";  // refused where it is read
  if (index_of(text) < columns.names.size()) {
    throw wrong_condition(
        condition,
        fmt::format("{} is a column too, write {} = {} or {} = '{}'", text, name, text, name, text), columns);
  }
  return quoted('"', text_column(columns, index)) + " = " + quoted('\'', text);
}

// What a condition may do, from SQLite's own reading of it.
struct Judge {
  const Columns* columns = nullptr;
  int selects = 0;
  std::string refused;  // what was asked for and is not allowed
};

extern "C" int judge_action(void* judge_of, int action, const char* first, const char* second, const char*,
                            const char*) {
  Judge& judge = *static_cast<Judge*>(judge_of);
  switch (action) {
    case SQLITE_READ:
      if (first == nullptr || std::strcmp(first, "items") != 0) {
        judge.refused = fmt::format("it reads the table {}", first == nullptr ? "" : first);
        return SQLITE_DENY;
      }
      if (second == nullptr || !judge.columns->ambiguous.contains(lower(second))) return SQLITE_OK;
      judge.refused = fmt::format("{} is the name of two columns, give the list's another", second);
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

// A table of some items at a time, and the condition on it.
class Condition {
 public:
  Condition(const std::string& asked, const Columns& columns)
      : asked_(asked), columns_(columns), database_("the items", Database::Access::kPrivate) {
    sqlite3* handle = database_.handle();
    std::string definition = fmt::format("{} INTEGER PRIMARY KEY", quoted('"', row_column()));
    std::string places = "?";
    for (std::size_t i = 0; i < columns.names.size(); ++i) {
      const char* type = i < 4 ? "TEXT" : i < std::size(kOwnColumns) ? "INTEGER" : "";
      definition += fmt::format(", {} {}", quoted('"', columns.names[i]), type);
      places += ", ?";
      if (i < std::size(kOwnColumns)) continue;
      definition += fmt::format(", {} TEXT", quoted('"', text_column(columns, i)));
      places += ", ?";
    }
    database_.run("CREATE TABLE items (" + definition + ");");
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "no such column" is no text
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 1 << 20);
    sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(handle, 10'000, should_stop, nullptr);
    // On a line of its own, and with a last word of ours: a comment cannot take away what follows it. LIMIT
    // and the like, behind a bracket that the condition closes, do not fit into a function's argument; a
    // comma does not fit into WHERE.
    const std::string condition = without_short_form(asked, columns);
    prepare(fmt::format("SELECT coalesce((\n{}\n), :whole) FROM items", condition));
    statement_ = prepare(
        fmt::format("SELECT {} FROM items WHERE (\n{}\n) AND :whole", quoted('"', row_column()), condition));
    sqlite3_bind_int(statement_.get(), 1, 1);
    insert_.emplace(database_, "INSERT INTO items VALUES (" + places + ")");
  }

  void add(const CatalogItem& item) {
    insert_->bind(item.row, item.id, item.path, item.label, item.content_hash, item.width, item.height);
    int place = static_cast<int>(std::size(kOwnColumns)) + 1;
    for (std::size_t i = std::size(kOwnColumns); i < columns_.names.size(); ++i) {
      const auto found = item.columns.find(columns_.names[i]);
      const std::string text = found == item.columns.end() ? std::string() : found->second;
      insert_->bind_value(++place, text, is_number(text));
      insert_->bind_at(++place, text);
    }
    insert_->insert();
  }

  // Of the items added since the last call.
  void mark(std::vector<uint8_t>& rows) {
    for (;;) {
      const int code = sqlite3_step(statement_.get());
      if (code == SQLITE_DONE) break;
      if (code != SQLITE_ROW) fail(code, {});
      rows[static_cast<std::size_t>(sqlite3_column_int64(statement_.get(), 0))] = 1;
    }
    sqlite3_reset(statement_.get());
    database_.run("DELETE FROM items;");
  }

 private:
  using Prepared = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

  std::string row_column() const { return columns_.prefix + "row"; }

  Prepared prepare(const std::string& sql) const {
    Judge judge{&columns_, 0, {}};
    sqlite3_set_authorizer(database_.handle(), judge_action, &judge);
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code =
        sqlite3_prepare_v2(database_.handle(), sql.data(), static_cast<int>(sql.size()), &statement, &tail);
    sqlite3_set_authorizer(database_.handle(), nullptr, nullptr);
    Prepared prepared(statement, sqlite3_finalize);
    if (code != SQLITE_OK) fail(code, judge.refused);
    if (tail != sql.data() + sql.size() || sqlite3_bind_parameter_count(statement) != 1 ||
        std::string_view(sqlite3_bind_parameter_name(statement, 1)) != ":whole") {
      throw wrong_condition(asked_, "it is more than a condition", columns_);
    }
    return prepared;
  }

  [[noreturn]] void fail(int code, const std::string& refused) const {
    if (stop_signal() != 0) throw Interrupted(stop_signal());
    switch (code & 0xFF) {
      case SQLITE_ERROR:
      case SQLITE_AUTH:
      case SQLITE_TOOBIG:
      case SQLITE_MISMATCH:
        throw wrong_condition(
            asked_, refused.empty() ? explained(sqlite3_errmsg(database_.handle())) : refused, columns_);
      default:
        database_.fail(code);
    }
  }

  const std::string& asked_;
  const Columns& columns_;
  Database database_;
  Prepared statement_{nullptr, sqlite3_finalize};
  std::optional<Statement> insert_;
};

}  // namespace

std::vector<uint8_t> rows_where(const CatalogReader& catalog, const std::string& condition) {
  constexpr std::size_t kMostColumns = 900;
  constexpr int64_t kAtOnce = 4096;
  const Columns columns = columns_of(catalog);
  if (condition.find('\0') != std::string::npos || condition.size() > 100'000) {
    throw wrong_condition(condition.substr(0, 40) + "...", "it is no text of at most 100,000 bytes", columns);
  }
  if (columns.names.size() > kMostColumns) {
    throw usage_error(fmt::format("--where is for catalogs of at most {} columns, this one has {}",
                                  kMostColumns, columns.names.size()));
  }
  Condition judged(condition, columns);
  std::vector<uint8_t> rows(static_cast<std::size_t>(catalog.rows()));
  catalog.for_each_item([&](const CatalogItem& item) {
    judged.add(item);
    if (item.row % kAtOnce != kAtOnce - 1) return;
    judged.mark(rows);
    if (stop_signal() != 0) throw Interrupted(stop_signal());
  });
  judged.mark(rows);
  return rows;
}

}  // namespace lookalike
