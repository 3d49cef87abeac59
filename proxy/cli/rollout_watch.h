// Follows a rollout until it has ended: `rollout status --wait` in lines, one a change, and `rollout watch` as a picture that
// is drawn again. Both end with the same codes. The answers, the clocks and the waiting are arguments: nothing here asks
// a server or sleeps. Main thread.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>

#include "cli/api.h"
#include "cli/show.h"
#include "cli/terminal.h"

namespace tidegate::cli {

struct RolloutAnswer {
  boost::json::value route;
  boost::json::value history;  ///< null where it is not needed
};

struct WatchWorld {
  /// An answer that came since the last call.
  std::function<std::optional<OrTrouble<RolloutAnswer>>()> news;
  std::function<double()> seconds;        ///< steady
  std::function<std::int64_t()> wall_ms;  ///< for people
  /// Until the next look. The signal that came, or 0.
  std::function<int()> wait;
  std::function<Size()> size;
};

struct FollowRules {
  /// A pipeline: a pause that needs a person ends it with 12, and a rollout that never began is a mistake (1). Else both are
  /// waited out.
  bool for_pipeline = true;
  std::optional<double> limit_s{};  ///< 124 when it is over, 12 when evidence is what is missing
};

/// @param lines where the changes go.
Done follow_in_lines(const WatchWorld& world, const FollowRules& rules, const ViewStyle& style, std::ostream& lines);
Done follow_live(const WatchWorld& world, const FollowRules& rules, bool color, std::ostream& out);

}  // namespace tidegate::cli
