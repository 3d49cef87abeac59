// A rollout as JSON, as the store keeps it with its route: everything that a restarted process needs to go on, the whole
// plan included, so that a file that changed meanwhile is taken by the next rollout and never in the middle of one. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rollout/rollout.h"

namespace tidegate::control {

std::string rollout_record(const rollout::Rollout& rollout);
/// Empty when the text is not such a record (of a newer version, or damaged).
std::optional<rollout::Rollout> read_rollout_record(std::string_view text);

}  // namespace tidegate::control
