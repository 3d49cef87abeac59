#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/schema.h"

namespace tidegate::store {
namespace {

constexpr std::string_view kMagic{"SQLite format 3\0", 16};

Error unusable(const std::string& path, const std::string& why) {
  return Error{"cannot use the state file " + path + ": " + why};
}

/// The same for what SQLite said, which may find damage at any step of opening.
Error unusable(const std::string& path, const sqlite::Connection& connection) {
  const std::string why = connection.message();
  return (connection.code() & 0xff) == SQLITE_CORRUPT ? damaged(path, why) : unusable(path, why);
}

/// Creates the file when there is none (SQLite would do so with the umask's mode) and refuses what is no database at
/// all, before SQLite would take a short file for an empty one.
Result<void> prepare_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return unusable(path, std::strerror(errno));
  char head[16];
  const ssize_t got = ::pread(fd, head, sizeof head, 0);
  const int error = errno;
  ::close(fd);
  if (got < 0) return unusable(path, std::strerror(error));
  if (got > 0 && std::string_view(head, static_cast<std::size_t>(got)) != kMagic) {
    return Error{path + " is not a Tidegate state file (not a database); move it away or give another `state.path`"};
  }
  return {};
}

Result<void> check_directory(const std::string& path) {
  std::filesystem::path directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) directory = ".";
  struct stat found{};
  if (::stat(directory.c_str(), &found) != 0) {
    if (errno == ENOENT) {
      return unusable(path, "the directory " + directory.string() + " does not exist");
    }
    return unusable(path, directory.string() + ": " + std::strerror(errno));
  }
  if (!S_ISDIR(found.st_mode)) return unusable(path, directory.string() + " is not a directory");
  return {};
}

/// The entry of a new file is durable only once its directory is. SQLite syncs the directory for its journals, not for
/// us.
Result<void> sync_directory(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return unusable(path, std::strerror(errno));
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;  // some file systems cannot sync a directory
  const int error = errno;
  ::close(fd);
  if (!synced) return unusable(path, std::strerror(error));
  return {};
}

Result<void> check_whole(sqlite::Connection& database, const std::string& path) {
  const auto found = database.text("PRAGMA quick_check(1)");
  if (found == "ok") return {};
  return damaged(path, found.value_or(database.message()));
}

/// WAL + FULL: one fsync a commit, and the commit is durable when it returns.
constexpr const char* kWriterSettings = R"sql(
  PRAGMA trusted_schema = OFF;
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 4194304;
)sql";

/// Not a part of the schema's version: a file without it is as good, and one with it can be read by every version.
constexpr const char* kIndexes = "CREATE INDEX IF NOT EXISTS decisions_of_epoch ON decisions (epoch)";

/// @param good false afterwards if it is none: what cannot be a weight must not become the whole of it
Weight weight(const sqlite::Statement& row, int column, bool& good) {
  const std::int64_t units = row.integer(column);
  good = good && units >= 0 && units <= Weight::kWhole;
  return good ? Weight::of_units(static_cast<std::uint32_t>(units)) : Weight::none();
}

std::optional<Weight> optional_weight(const sqlite::Statement& row, int column, bool& good) {
  if (row.is_null(column)) return std::nullopt;
  return weight(row, column, good);
}

void bind_weight(sqlite::Statement& statement, int at, const std::optional<Weight>& weight) {
  weight ? statement.bind(at, std::int64_t{weight->units()}) : statement.bind_null(at);
}

/// Epochs are below 2^63 by a wide margin; SQLite's integers are signed.
std::int64_t stored(std::uint64_t epoch) { return static_cast<std::int64_t>(epoch); }
std::uint64_t epoch_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) { return open(path, Limits()); }

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, const Limits& limits) {
  if (auto ok = check_directory(path); !ok) return ok.error();
  auto lock = FileLock::take(path);
  if (!lock) return lock.error();
  return open_locked(path, limits, std::move(*lock));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::take_over(const std::string& path, int handed) {
  if (auto ok = check_directory(path); !ok) return ok.error();
  auto lock = FileLock::take_over(handed, path);
  if (!lock) return lock.error();
  return open_locked(path, Limits(), std::move(*lock));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_locked(const std::string& path, const Limits& limits, FileLock lock) {
  if (auto ok = prepare_file(path); !ok) return ok.error();

  int code = SQLITE_OK;
  sqlite::Connection database = sqlite::Connection::open(path, code);
  if (code != SQLITE_OK) return unusable(path, database);
  sqlite3_busy_timeout(database.handle(), limits.busy_ms);
  if (database.execute(kWriterSettings) != SQLITE_OK) return unusable(path, database);
  if (auto ok = prepare_schema(database, path); !ok) return ok.error();
  if (auto ok = check_whole(database, path); !ok) return ok.error();
  if (database.execute(kIndexes) != SQLITE_OK) return unusable(path, database);
  if (database.text("PRAGMA journal_mode = WAL") != "wal") return unusable(path, "no WAL: " + database.message());
  if (auto ok = sync_directory(path); !ok) return ok.error();

  // Not read-only: a reader of a WAL file needs its shared memory.
  sqlite::Connection reader = sqlite::Connection::open(path, code);
  if (code != SQLITE_OK) return unusable(path, reader);
  sqlite3_busy_timeout(reader.handle(), limits.busy_ms);
  if (reader.execute("PRAGMA query_only = ON") != SQLITE_OK) return unusable(path, reader);
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(path, limits, std::move(lock), std::move(database), std::move(reader)));
}

SqliteStore::SqliteStore(std::string path, const Limits& limits, FileLock lock, sqlite::Connection writing,
                         sqlite::Connection reading)
    : path_(std::move(path)),
      limits_(limits),
      lock_(std::move(lock)),
      database_(std::move(writing)),
      save_route_(database_, "INSERT OR REPLACE INTO routes (route, file_weight, weight, latched, latch_reason, "
                             "file_mirror, mirror, epoch, rollout) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      save_epoch_(database_, "UPDATE state SET epoch = max(epoch, ?)"),
      save_decision_(database_, "INSERT INTO decisions (epoch, at_ms, route, action, actor, reason, from_value, "
                                "to_value, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      prune_(database_, "DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?"),
      reader_(std::move(reading)),
      history_of_all_(reader_, "SELECT epoch, at_ms, route, action, actor, reason, from_value, to_value, record "
                               "FROM decisions ORDER BY id DESC LIMIT ?1"),
      history_of_route_(reader_, "SELECT epoch, at_ms, route, action, actor, reason, from_value, to_value, record "
                                 "FROM decisions WHERE route = ?2 ORDER BY id DESC LIMIT ?1"),
      decision_(reader_, "SELECT epoch, at_ms, route, action, actor, reason, from_value, to_value, record "
                         "FROM decisions WHERE epoch = ?1 ORDER BY id DESC LIMIT 1") {}

Result<State> SqliteStore::load() {
  const std::lock_guard lock(writing_);
  State state;
  const auto epoch = database_.integer("SELECT epoch FROM state");
  if (!epoch) return cannot("read", database_);
  state.epoch = epoch_of(*epoch);
  sqlite::Statement rows(database_, "SELECT route, file_weight, weight, latched, latch_reason, file_mirror, mirror, "
                                    "epoch, rollout FROM routes ORDER BY route");
  int code = SQLITE_OK;
  bool good = true;
  while ((code = rows.step()) == SQLITE_ROW) {
    state.routes.push_back({.route = rows.text(0),
                            .file_weight = weight(rows, 1, good),
                            .weight = weight(rows, 2, good),
                            .latched = rows.integer(3) != 0,
                            .latch_reason = rows.text(4),
                            .file_mirror = optional_weight(rows, 5, good),
                            .mirror = optional_weight(rows, 6, good),
                            .epoch = epoch_of(rows.integer(7)),
                            .rollout = rows.text(8)});
    if (!good) return damaged(path_, "route " + state.routes.back().route + " has a weight outside of 0 to 100 %");
  }
  if (code != SQLITE_DONE) return cannot("read", database_);
  return state;
}

Result<void> SqliteStore::save(const Change& change) {
  const std::lock_guard lock(writing_);
  sqlite::Transaction transaction(database_);
  // The message is the connection's, so it is taken before the roll-back in ~Transaction replaces it.
  if (transaction.code() != SQLITE_OK) return cannot("write", database_);
  if (write(change) != SQLITE_OK) return cannot("write", database_);
  if (transaction.commit() != SQLITE_OK) return cannot("write", database_);
  if (was_removed()) return Error{"cannot write " + path_ + ": it, or its journal, was removed or replaced; decisions are lost with this process"};
  return {};
}

/// SQLite goes on with a file that has no name any more, and nobody would find what it says.
bool SqliteStore::was_removed() {
  int moved = 0;
  sqlite3_file_control(database_.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  struct stat journal{};
  const bool there = ::stat((path_ + "-wal").c_str(), &journal) == 0;
  if (!there) return true;
  if (journal_ == 0) journal_ = journal.st_ino;
  return moved != 0 || journal_ != journal.st_ino;
}

int SqliteStore::write(const Change& change) {
  const RouteRecord& r = change.route;
  save_route_.bind(1, r.route).bind(2, std::int64_t{r.file_weight.units()}).bind(3, std::int64_t{r.weight.units()});
  save_route_.bind(4, std::int64_t{r.latched}).bind(5, r.latch_reason).bind(8, stored(r.epoch));
  save_route_.bind(9, r.rollout);
  bind_weight(save_route_, 6, r.file_mirror);
  bind_weight(save_route_, 7, r.mirror);
  if (const int code = save_route_.run(); code != SQLITE_OK) return code;

  const Decision& d = change.decision;
  save_decision_.bind(1, stored(d.epoch)).bind(2, d.at_ms).bind(3, d.route).bind(4, name(d.action)).bind(5, d.actor);
  save_decision_.bind(6, d.reason).bind(7, d.from).bind(8, d.to).bind(9, d.record);
  if (const int code = save_decision_.run(); code != SQLITE_OK) return code;

  if (const int code = save_epoch_.bind(1, stored(std::max(r.epoch, d.epoch))).run(); code != SQLITE_OK) return code;
  return prune_.bind(1, static_cast<std::int64_t>(limits_.history_rows)).run();
}

Result<std::vector<Decision>> SqliteStore::history(const std::string& route, std::size_t limit) {
  const std::lock_guard lock(reading_);
  sqlite::Statement& rows = route.empty() ? history_of_all_ : history_of_route_;
  rows.bind(1, static_cast<std::int64_t>(std::min(limit, limits_.history_rows)));
  if (!route.empty()) rows.bind(2, route);
  return this->rows(rows);
}

Result<std::optional<Decision>> SqliteStore::decision(std::uint64_t epoch) {
  const std::lock_guard lock(reading_);
  decision_.bind(1, stored(epoch));
  auto found = rows(decision_);
  if (!found) return found.error();
  if (found->empty()) return std::optional<Decision>();
  return std::optional<Decision>(std::move(found->front()));
}

/// Needs reading_.
Result<std::vector<Decision>> SqliteStore::rows(sqlite::Statement& rows) {
  std::vector<Decision> out;
  int code = SQLITE_OK;
  while ((code = rows.step()) == SQLITE_ROW) {
    const auto action = action_named(rows.text(3));
    if (!action) break;
    out.push_back({.epoch = epoch_of(rows.integer(0)),
                   .at_ms = rows.integer(1),
                   .route = rows.text(2),
                   .action = *action,
                   .actor = rows.text(4),
                   .reason = rows.text(5),
                   .from = rows.text(6),
                   .to = rows.text(7),
                   .record = rows.text(8)});
  }
  const Error error = code == SQLITE_DONE  ? Error{}
                      : code == SQLITE_ROW ? Error{"the state file " + path_ + " holds an unknown action"}
                                           : cannot("read", reader_);
  rows.reset();
  if (code != SQLITE_DONE) return error;
  return out;
}

Error SqliteStore::cannot(const char* what, const sqlite::Connection& connection) const {
  std::string message = std::string("cannot ") + what + " the state file " + path_ + ": " + connection.message();
  const int kind = connection.code() & 0xff;
  const int system = sqlite3_system_errno(connection.handle());
  if ((kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL) && system != 0) {
    message += std::string(" (") + std::strerror(system) + ")";
  }
  return Error{std::move(message)};
}

}  // namespace tidegate::store
