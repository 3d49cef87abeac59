// The little of SQLite that the store needs, with owners: a connection, a prepared statement, a transaction that rolls
// back unless it was committed. Errors are SQLite's result codes; the store says them in the operator's words. A
// Connection and its statements belong to one thread at a time (SQLite's own mutex is off); whoever shares one locks
// around it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::store::sqlite {

class Connection {
 public:
  /// Opens an existing file for reading and writing. Never empty; whether it worked is in `code`, as for all calls
  /// below.
  static Connection open(const std::string& path, int& code, bool read_only = false);

  /// Runs statements that return nothing of interest. @return SQLITE_OK or the extended error code.
  int execute(const char* sql) noexcept;
  /// First column of the first row; empty on an error or without a row.
  std::optional<std::string> text(const char* sql) noexcept;
  std::optional<std::int64_t> integer(const char* sql) noexcept;

  /// Of the last failed call.
  int code() const noexcept { return sqlite3_extended_errcode(handle_.get()); }
  std::string message() const { return sqlite3_errmsg(handle_.get()); }
  sqlite3* handle() const noexcept { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

/// Prepared once, used often. Parameters and columns are numbered from 1 and from 0, as SQLite does.
class Statement {
 public:
  Statement() = default;
  /// A statement that does not compile is empty and fails in step().
  Statement(const Connection& connection, const char* sql) noexcept;

  Statement& bind(int at, std::int64_t value) noexcept;
  /// The text must live until step() or reset().
  Statement& bind(int at, std::string_view text) noexcept;
  Statement& bind_null(int at) noexcept;
  /// SQLITE_ROW, SQLITE_DONE or an error.
  int step() noexcept;
  /// Steps a statement without rows to its end and resets it. @return SQLITE_OK or an error.
  int run() noexcept;
  void reset() noexcept;

  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column) const;
  bool is_null(int column) const noexcept { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// BEGIN IMMEDIATE ... COMMIT. A commit that fails is rolled back: the next transaction starts from a clean state.
class Transaction {
 public:
  explicit Transaction(Connection& connection) noexcept
      : connection_(connection), code_(connection.execute("BEGIN IMMEDIATE")) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!sqlite3_get_autocommit(connection_.handle())) connection_.execute("ROLLBACK");
  }
  /// Of BEGIN.
  int code() const noexcept { return code_; }
  int commit() noexcept { return connection_.execute("COMMIT"); }

 private:
  Connection& connection_;
  int code_;
};

}  // namespace tidegate::store::sqlite
