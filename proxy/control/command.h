// What a person (or the gate) asks of the engine, and how it came out. Plain values; the admin API turns them into HTTP
// statuses, the command line into exit codes.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tidegate::control {

struct CommandError {
  enum class Code : std::uint8_t {
    NotFound,  ///< no such route
    Invalid,   ///< the value makes no sense for this route
    Conflict,  ///< not possible in this state: the route is latched, or not latched
    Stale,     ///< If-Match names an epoch that is no longer the route's
    Store,     ///< the decision could not be made durable, and was not done
  };
  Code code = Code::Invalid;
  std::string message;
  std::string field{};
};
[[noreturn]] void throw_exception_from_error(const CommandError& error, const boost::source_location& where);

struct Command {
  std::string actor = "operator";
  std::string reason{};
  std::optional<std::uint64_t> if_epoch{};  ///< the route's epoch that the caller has seen
};

struct Done {
  std::uint64_t epoch = 0;   ///< of the decision; in force on every worker
  bool durable = true;       ///< false: in force, but the store could not write it yet (reverts and lower weights only)
  std::string note{};        ///< for the person who asked
};

using Outcome = boost::system::result<Done, CommandError>;
/// Called once, on the engine's or the store writer's thread; must not wait.
using Reply = std::function<void(const Outcome&)>;

}  // namespace tidegate::control
