// What is wrong with a configuration file, and where. A Problem is what people see (`tidegate validate`, the log of a
// refused reload, the admin API); Problems collects them while the loader goes on, so that one bad section never hides
// another. Not an exception and not an Error: a file usually has several.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::config {

/// Both count from 1; 0 = the file as a whole (it cannot be read).
struct Position {
  int line = 0;
  int column = 0;  ///< in bytes
};

enum class Severity { Error, Warning };

struct Problem {
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;  ///< "routes[0].weight"; empty when the problem is not inside a key
  std::string message;
  Severity severity = Severity::Error;
};

/// "file:12:3: routes[0].weight: message", the form that editors and CI systems make links of; a warning has
/// "warning: " after the position.
std::string to_string(const Problem& problem);

/// A value as messages show it: in double quotes, control characters escaped (a message is one line of a log or a
/// terminal), cut after 60 bytes.
std::string in_quotes(std::string_view text);

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void error(Position at, std::string path, std::string message);
  void warning(Position at, std::string path, std::string message);

  bool has_error() const noexcept { return has_error_; }
  /// Everything that was collected, by position; at most kProblems and one line that counts the rest.
  std::vector<Problem> take_sorted() &&;

 private:
  void add(Position at, std::string path, std::string message, Severity severity);

  std::string file_;
  std::vector<Problem> all_;
  std::size_t left_out_ = 0;
  bool has_error_ = false;
};

}  // namespace tidegate::config
