#include "host/sqlite.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>

#include "engine/error.h"
#include "host/files.h"
#include "host/interrupt.h"

namespace lookalike {
namespace {

// A reader's lock lasts for one statement; only a check of a whole large database, as verify makes it, takes
// long. A writer has hours of work behind it and waits for that; a stop that is asked for ends the wait.
constexpr int kWriterWaits = 6'000;
constexpr int kReaderWaits = 300;
constexpr int kWaitMilliseconds = 100;

extern "C" int wait_for_lock(void* longest, int waits) {
  if (waits >= *static_cast<const int*>(longest) || stop_signal() != 0) return 0;
  sqlite3_sleep(kWaitMilliseconds);
  return 1;
}

// What the schema of a foreign file could do is shut off; damaged pages are looked at with care.
constexpr const char* kEveryConnection =
    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;";
// A rollback journal, so that a finished file needs no other beside it; EXTRA flushes the folder too, so that
// a power cut does not take back a commit.
constexpr const char* kWritingConnection = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;";
// Nothing of it outlives the process; pages beyond 2 MiB go to the file.
constexpr const char* kPrivateConnection =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = "
    "-2048;";

const char* connection(Database::Access access) {
  switch (access) {
    case Database::Access::kRead:
      return "PRAGMA query_only = ON;";
    case Database::Access::kWrite:
      return kWritingConnection;
    case Database::Access::kPrivate:
      return kPrivateConnection;
  }
  throw std::logic_error("an access without its settings");
}

}  // namespace

Database::Database(const std::string& path, Access access) : path_(path), handle_(nullptr, sqlite3_close_v2) {
  const bool reading = access == Access::kRead;
  longest_wait_ = reading ? kReaderWaits : kWriterWaits;
  const std::string file = access == Access::kPrivate ? "" : path;
  int code = open(file, reading ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  // A killed run left a transaction that was not committed. Only a writer may take it back; it is one only
  // for that.
  if (reading && (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY)) {
    code = open(file, SQLITE_OPEN_READWRITE);
  }
  if (code != SQLITE_OK) fail(code);
  run(kEveryConnection);
  run(connection(access));
}

int Database::open(const std::string& file, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_handler(handle, wait_for_lock, &longest_wait_);
  // The first read finds what opening does not: no database at all, or a journal to roll back.
  return sqlite3_exec(handle, "SELECT count(*) FROM sqlite_master;", nullptr, nullptr, nullptr);
}

void Database::fail(int code) const {
  const std::string reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  switch (code & 0xFF) {
    case SQLITE_NOMEM:
      throw system_error("out of memory at " + path_);
    case SQLITE_FULL:
      throw file_error("write", path_, ENOSPC);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      if (stop_signal() != 0) throw Interrupted(stop_signal());
      throw in_use_error(path_ + " stays locked by another program, end that and run again");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_NOLFS:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT: {
      const int error_number = handle_ ? sqlite3_system_errno(handle_.get()) : 0;
      if (error_number != 0) throw file_error("use", path_, error_number);
      throw system_error("cannot use " + path_ + ": " + reason);
    }
    default:
      throw damaged_error(fmt::format("{}: {}, copy it again or encode again", path_, reason));
  }
}

void Database::run(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

int64_t Database::number(std::string_view sql) const {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::schema() const {
  Statement statement(*this, "SELECT sql FROM sqlite_master ORDER BY type, name");
  std::string text;
  while (statement.step()) text += statement.text(0) + ";\n";
  return text;
}

void Database::check_integrity() const {
  Statement statement(*this, "PRAGMA integrity_check(1)");
  if (!statement.step() || statement.text(0) != "ok") {
    throw damaged_error(fmt::format("{}: {}, copy it again or encode again", path_, statement.text(0)));
  }
}

Statement::Statement(const Database& database, std::string_view sql)
    : database_(&database), statement_(nullptr, sqlite3_finalize) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database.fail(code);
}

int Statement::step_code() { return sqlite3_step(statement_.get()); }

bool Statement::step() {
  const int code = step_code();
  if (code != SQLITE_ROW && code != SQLITE_DONE) database_->fail(code);
  return code == SQLITE_ROW;
}

void Statement::run() {
  while (step()) continue;
  reset();
}

bool Statement::insert() {
  const int code = step_code();
  if (code != SQLITE_DONE && code != SQLITE_CONSTRAINT_UNIQUE && code != SQLITE_CONSTRAINT_PRIMARYKEY) {
    database_->fail(code);
  }
  reset();
  return code == SQLITE_DONE;
}

// Repeats the error of the step before, which was already told.
void Statement::reset() { sqlite3_reset(statement_.get()); }

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::vector<uint8_t> Statement::blob(int column) const {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, bytes + sqlite3_column_bytes(statement_.get(), column)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Statement::bind_one(int index, int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), index, value);
  if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind_one(int index, const std::string& value) {
  // SQL functions end a text at its first NUL.
  if (value.find('\0') != std::string::npos) throw usage_error("a NUL byte in '" + value + "', leave it out");
  const int code =
      sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind_one(int index, std::span<const uint8_t> value) {
  // Without a pointer SQLite would take it for NULL.
  const int code = value.empty() ? sqlite3_bind_zeroblob(statement_.get(), index, 0)
                                 : sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(),
                                                       SQLITE_TRANSIENT);
  if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind_one(int index, std::nullptr_t) {
  const int code = sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind_value(int index, const std::string& value, bool number) {
  if (value.empty()) return bind_one(index, nullptr);
  if (!number) return bind_one(index, value);
  if (value.find('.') == std::string::npos) return bind_one(index, int64_t{std::stoll(value)});
  double real = 0;
  std::from_chars(value.data(), value.data() + value.size(), real);
  const int code = sqlite3_bind_double(statement_.get(), index, real);
  if (code != SQLITE_OK) database_->fail(code);
}

Transaction::Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE;"); }

Transaction::~Transaction() {
  // A failed commit may have rolled back already, in which case there is nothing to do.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK;", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.run("COMMIT;");
  open_ = false;
}

}  // namespace lookalike
