#include "store/schema.h"

namespace tidegate::store {
namespace {

// decisions.id: AUTOINCREMENT never reuses a number and decisions are deleted from the oldest end only, so the numbers
// have no gaps and "the newest N rows" is "id > newest - N".
constexpr const char* kVersion1 = R"sql(
  CREATE TABLE state (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
  ) STRICT;
  INSERT INTO state VALUES (1, 0);
  CREATE TABLE routes (
    route        TEXT PRIMARY KEY,
    file_weight  INTEGER NOT NULL,  -- all weights in 0.01 %
    weight       INTEGER NOT NULL,
    latched      INTEGER NOT NULL,
    latch_reason TEXT NOT NULL,
    file_mirror  INTEGER,
    mirror       INTEGER,
    epoch        INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE decisions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch      INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,    -- since the Unix epoch
    route      TEXT NOT NULL,
    action     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    from_value TEXT NOT NULL,
    to_value   TEXT NOT NULL,
    record     TEXT NOT NULL        -- JSON
  ) STRICT;
  CREATE INDEX decisions_of_route ON decisions (route, id);
  PRAGMA application_id = 0x54696467;
  PRAGMA user_version = 1;
)sql";

// Where the rollout of the route stands, as JSON (control/rollout_record.h); empty: never started.
constexpr const char* kVersion2 = R"sql(
  ALTER TABLE routes ADD COLUMN rollout TEXT NOT NULL DEFAULT '';
  PRAGMA user_version = 2;
)sql";

/// Whole or not at all: a file of an older version stays one when something fails.
Result<void> upgrade(sqlite::Connection& database, const std::string& path) {
  sqlite::Transaction transaction(database);
  if (transaction.code() != SQLITE_OK || database.execute(kVersion2) != SQLITE_OK ||
      transaction.commit() != SQLITE_OK) {
    return Error{"cannot upgrade the state file " + path + ": " + database.message()};
  }
  return {};
}

Result<void> create(sqlite::Connection& database, const std::string& path) {
  sqlite::Transaction transaction(database);
  if (transaction.code() != SQLITE_OK || database.execute(kVersion1) != SQLITE_OK ||
      database.execute(kVersion2) != SQLITE_OK || transaction.commit() != SQLITE_OK) {
    return Error{"cannot create the state file " + path + ": " + database.message()};
  }
  return {};
}

}  // namespace

Error damaged(const std::string& path, const std::string& why) {
  return Error{"the state file " + path + " is damaged (" + why +
               "); restore it from a backup, or move it away to start with the weights of the configuration file"};
}

Result<void> prepare_schema(sqlite::Connection& database, const std::string& path) {
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) {
    const std::string why = database.message();
    switch (database.code() & 0xff) {
      case SQLITE_NOTADB:
        return Error{path + " is not a Tidegate state file: " + why};
      case SQLITE_CORRUPT:
        return damaged(path, why);
      default:
        return Error{"cannot read the state file " + path + ": " + why};
    }
  }
  const std::int64_t application = database.integer("PRAGMA application_id").value_or(0);
  const std::int64_t version = database.integer("PRAGMA user_version").value_or(0);
  if (*tables == 0 && application == 0 && version == 0) return create(database, path);
  if (application != kApplicationId) return Error{path + " is the database of another program"};
  if (version > kSchemaVersion) {
    return Error{"the state file " + path + " was written by a newer Tidegate (schema " + std::to_string(version) +
                 ", this one knows " + std::to_string(kSchemaVersion) + "); run that version, or move the file away"};
  }
  if (version == 1) return upgrade(database, path);
  return {};
}

}  // namespace tidegate::store
