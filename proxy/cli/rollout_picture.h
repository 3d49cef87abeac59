// A rollout as `rollout watch` draws it: bars of the whole and of the step, both sides' rates, the gate's evidence towards
// a revert and towards a proof, the last events. Pure but for the time zone: facts and the time in, text out.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/rollout_facts.h"
#include "cli/terminal.h"

namespace tidegate::cli {

struct EventFacts {
  std::int64_t at_ms = 0;
  std::string action, change, actor, reason;  ///< change: "10 -> 25"
};
/// @param history the answer of GET /api/v1/history; newest first, as there.
std::vector<EventFacts> read_events(const boost::json::value& history);

/// Where requests and failures are counted from.
struct Earlier {
  SideFacts old_side, new_side;
  double seconds = 0;  ///< before the facts
};

struct RolloutPicture {
  RolloutFacts facts;                ///< aged() to now
  std::optional<Earlier> earlier{};  ///< empty: no rates yet
  std::vector<EventFacts> events{};
  std::int64_t wall_ms = 0;  ///< now
  std::string problem{};     ///< why the facts are not fresh; empty = they are
};
/// Fits the style's columns.
std::string rollout_picture(const RolloutPicture& picture, const ViewStyle& style);

}  // namespace tidegate::cli
