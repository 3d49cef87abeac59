#include "store/sqlite.h"

namespace tidegate::store::sqlite {

Connection Connection::open(const std::string& path, int& code, bool read_only) {
  Connection connection;
  sqlite3* handle = nullptr;
  const int mode = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  code = sqlite3_open_v2(path.c_str(), &handle, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  connection.handle_.reset(handle);  // also after an error there is a handle, which holds the message
  return connection;
}

int Connection::execute(const char* sql) noexcept {
  return sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
}

std::optional<std::string> Connection::text(const char* sql) noexcept {
  Statement statement(*this, sql);
  if (statement.step() != SQLITE_ROW) return std::nullopt;
  return statement.text(0);
}

std::optional<std::int64_t> Connection::integer(const char* sql) noexcept {
  Statement statement(*this, sql);
  if (statement.step() != SQLITE_ROW) return std::nullopt;
  return statement.integer(0);
}

Statement::Statement(const Connection& connection, const char* sql) noexcept {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(connection.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
}

Statement& Statement::bind(int at, std::int64_t value) noexcept {
  sqlite3_bind_int64(statement_.get(), at, value);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) noexcept {
  // An empty view may have no data, which SQLite would take as NULL.
  sqlite3_bind_text64(statement_.get(), at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int at) noexcept {
  sqlite3_bind_null(statement_.get(), at);
  return *this;
}

int Statement::step() noexcept { return statement_ ? sqlite3_step(statement_.get()) : SQLITE_ERROR; }

int Statement::run() noexcept {
  int code = step();
  while (code == SQLITE_ROW) code = step();
  reset();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

void Statement::reset() noexcept {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int bytes = sqlite3_column_bytes(statement_.get(), column);
  return text ? std::string(text, static_cast<std::size_t>(bytes)) : std::string();
}

}  // namespace tidegate::store::sqlite
