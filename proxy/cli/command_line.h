// Arguments -> Options, or the message that says what is wrong with them. The only place that knows CLI11. Options may
// stand before and after the verb. It opens nothing and asks nobody: the environment is an argument.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"

namespace tidegate::cli {

/// The value of an environment variable; empty = not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

struct CommandLine {
  std::optional<Options> options{};
  std::string problem{};  ///< when there are no options: what is wrong, and how to go on. Exit code 2.
};

/// @param arguments without the program's name.
CommandLine parse_command_line(std::vector<std::string> arguments, const Environment& environment);

}  // namespace tidegate::cli
