// Whether this process may use a file that the configuration names, asked before anything is started. Nothing is created,
// changed or kept open. What these say can be out of date a moment later; who opens the file has the last word.
#pragma once

#include <string>

namespace tidegate::config {

/// Why it cannot be read; empty when it can. Begins with the file's name.
std::string reading_problem(const std::string& file);

enum class Written {
  Alone,          ///< appended to, as a log
  WithNeighbours  ///< others are made beside it, as SQLite does
};

/// Why the file can neither be written nor made; empty when it can. Begins with the file's name.
std::string writing_problem(const std::string& file, Written how);

}  // namespace tidegate::config
