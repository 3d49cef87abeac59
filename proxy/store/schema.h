// The tables of the state file and their version. A file is recognised by SQLite's application_id and user_version,
// both in its header: a foreign database is refused, and so is a newer schema: a Tidegate that was rolled back must not
// write what it does not understand. Version 1 is the first; a step from it to the next one belongs here. Called once
// by SqliteStore::open, before anything is written to the file.
#pragma once

#include "store/sqlite.h"
#include "store/store.h"

namespace tidegate::store {

inline constexpr std::int64_t kApplicationId = 0x54696467;  ///< "Tidg"
inline constexpr std::int64_t kSchemaVersion = 2;

/// Checks the file and brings it to kSchemaVersion. @param path for the messages.
Result<void> prepare_schema(sqlite::Connection& database, const std::string& path);

/// What an operator can do about a file that SQLite found malformed.
Error damaged(const std::string& path, const std::string& why);

}  // namespace tidegate::store
