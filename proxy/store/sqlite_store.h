// The store of one machine: a SQLite file in WAL mode with synchronous = FULL, so that a decision which was
// acknowledged survives a power cut, and one that was not is there whole or not at all. Exclusive to one Tidegate
// (file_lock.h); history is read through the running process. Two connections, each behind its own mutex: history() of
// a busy API never makes a revert wait, because WAL readers and the writer do not block each other. Owned by the
// composition root; every function may be called on any thread.
#pragma once

#include <memory>
#include <mutex>

#include "store/file_lock.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace tidegate::store {

class SqliteStore final : public Store {
 public:
  struct Limits {
    std::size_t history_rows = 100'000;  ///< decisions that are kept, the newest
    int busy_ms = 2'000;                 ///< wait for somebody who has the file open with sqlite3
  };

  /// Opens or creates (mode 0600) the file and checks all of it. Errors name the path and what is wrong with it:
  /// directory missing or not writable, not a database, of another program, damaged, of a newer version, in use.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, const Limits& limits);
  /// The same while the process that this one follows has it open, too, and writes no more. @param lock its descriptor, handed over
  static Result<std::unique_ptr<SqliteStore>> take_over(const std::string& path, int lock);
  /// Of the lock, to be handed over.
  int lock_descriptor() const noexcept { return lock_.descriptor(); }

  Result<State> load() override;
  Result<void> save(const Change& change) override;
  Result<std::vector<Decision>> history(const std::string& route, std::size_t limit) override;
  Result<std::optional<Decision>> decision(std::uint64_t epoch) override;

 private:
  SqliteStore(std::string path, const Limits& limits, FileLock lock, sqlite::Connection writing,
              sqlite::Connection reading);

  static Result<std::unique_ptr<SqliteStore>> open_locked(const std::string& path, const Limits& limits, FileLock lock);
  int write(const Change& change);
  bool was_removed();
  Error cannot(const char* what, const sqlite::Connection& connection) const;

  const std::string path_;
  const Limits limits_;
  const FileLock lock_;  // destroyed last: nobody else may open the file before the connections are closed

  std::mutex writing_;  // guards what follows
  ino_t journal_ = 0;   // that the first write found
  sqlite::Connection database_;
  sqlite::Statement save_route_, save_epoch_, save_decision_, prune_;

  std::mutex reading_;  // guards what follows
  sqlite::Connection reader_;
  Result<std::vector<Decision>> rows(sqlite::Statement& of);
  sqlite::Statement history_of_all_, history_of_route_, decision_;
};

}  // namespace tidegate::store
