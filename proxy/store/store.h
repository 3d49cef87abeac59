// Where decisions live over a restart: for each route the weight, the mirror and the latch that were set at run time,
// and the history of who decided what, when and why. The interface only; sqlite_store.h keeps it on one machine. It
// does not decide which of file and run time wins (the caller compares file_* with the file of today), and it knows no
// route table. Owned by the composition root. save() is called on the writer's thread (writer.h), load() before serving
// starts, history() and decision() on any thread at any time: implementations must allow it beside a save().
#pragma once

#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/weight.h"

namespace tidegate::store {

struct Error {
  std::string message;  ///< for an operator: names the file and what to do, where that is known
};

template <class T>
using Result = boost::system::result<T, Error>;

/// What is in force for a route.
struct RouteRecord {
  std::string route;
  Weight file_weight;  ///< what the configuration file said when `weight` was set: a file that changed since then wins
  Weight weight;
  bool latched = false;
  std::string latch_reason;
  std::optional<Weight> file_mirror;  ///< as file_weight; empty: the file had no mirror
  std::optional<Weight> mirror;       ///< empty: never set at run time
  std::uint64_t epoch = 0;            ///< of the decision that made it
  std::string rollout{};              ///< where its rollout stands, as JSON that only control reads; empty: never started

  friend bool operator==(const RouteRecord&, const RouteRecord&) = default;
};

enum class Action : std::uint8_t {
  Weight,
  Mirror,
  Revert,
  Rearm,
  Hold,         ///< an alarm of the gate that left the weight as it was: shared with old, or `on_fail: pause`
  WouldRevert,  ///< the same with `on_fail: notify`
  RolloutStart,
  Step,              ///< the rollout went on to its next step by itself
  RolloutPause,
  RolloutResume,
  RolloutPromote,
  RolloutAbort,
  RolloutRetry,
  RolloutUndo,
  RolloutBake,       ///< the last step is over, the weight is watched for a while
  RolloutCompleted,
};
std::string_view name(Action action) noexcept;
std::optional<Action> action_named(std::string_view name) noexcept;

/// One line of the history.
struct Decision {
  std::uint64_t epoch = 0;
  std::int64_t at_ms = 0;  ///< wall clock
  std::string route;
  Action action = Action::Weight;
  std::string actor;   ///< "gate", or who asked
  std::string reason;  ///< the operator's sentence
  std::string from, to;
  std::string record;  ///< JSON: what is needed to explain and replay it; may be empty

  friend bool operator==(const Decision&, const Decision&) = default;
};

/// What one decision changes: always both, so that no state is without its history.
struct Change {
  RouteRecord route;
  Decision decision;
};

struct State {
  std::uint64_t epoch = 0;  ///< the highest that was ever saved
  std::vector<RouteRecord> routes;  ///< by name
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<State> load() = 0;
  /// One transaction: after an error nothing of it is stored, after success all of it survives a crash of the machine.
  virtual Result<void> save(const Change& change) = 0;
  /// Newest first. @param route empty = all routes. @param limit of rows.
  virtual Result<std::vector<Decision>> history(const std::string& route, std::size_t limit) = 0;
  /// The decision with that number; empty when there is none (any more).
  virtual Result<std::optional<Decision>> decision(std::uint64_t epoch) = 0;
};

/// What Result::value() throws; the program looks at errors instead, tests use it.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace tidegate::store
