// SQLite owned by objects: connections, statements and transactions that end with their scope.
//
// Texts are bytes: any but NUL come back as they went in. SQLite's own failures become E_DAMAGED (not a
// database, corrupt, another schema), E_IN_USE (locked for longer than it should be) or E_SYSTEM, all naming
// the file.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lookalike {

class Database;

// Columns and parameters are counted as SQLite does: columns from 0, parameters from 1.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  // Parameters in order, from the first.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }

  // One more, where their number is not known here; bind() forgets it.
  void bind_at(int index, const std::string& value) { bind_one(index, value); }
  // As the number that it is, where it is one; NULL where it is empty.
  void bind_value(int index, const std::string& value, bool number);

  bool step();  // true: a row is there
  void run();   // to the end, rows dropped
  // False where a UNIQUE or PRIMARY KEY rule forbids the row.
  bool insert();
  void reset();

  int64_t integer(int column) const;
  std::string text(int column) const;
  std::vector<uint8_t> blob(int column) const;
  bool is_null(int column) const;

 private:
  void bind_one(int index, int64_t value);
  void bind_one(int index, int value) { bind_one(index, int64_t{value}); }
  void bind_one(int index, const std::string& value);
  void bind_one(int index, std::span<const uint8_t> value);
  void bind_one(int index, std::nullptr_t);
  int step_code();

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
};

class Database {
 public:
  enum class Access {
    kRead,     // leaves no trace in the folder, which may be read-only
    kWrite,    // made where it is missing; each commit survives a power cut
    kPrivate,  // a file of SQLite's own, gone with the object; `path` only names it in messages
  };
  Database(const std::string& path, Access access);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql);            // any number of statements
  int64_t number(std::string_view sql) const;  // the first column of the first row
  std::string schema() const;                  // every CREATE, in a fixed order
  void check_integrity() const;                // all pages, indexes and constraints; E_DAMAGED
  [[noreturn]] void fail(int code) const;      // throws what SQLite's result `code` means here

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  int open(const std::string& file, int flags);

  std::string path_;
  int longest_wait_ = 0;  // for another's lock; read by SQLite through a pointer
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> handle_;
};

// Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace lookalike
