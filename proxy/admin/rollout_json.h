// A rollout as the API shows it: where it stands, every step of its plan, and what it waits for. Pure.
#pragma once

#include <boost/json/value.hpp>

#include "config/config.h"
#include "control/status.h"
#include "notify/target.h"

namespace tidegate::admin {

/// null for a route without one.
boost::json::value rollout_json(const std::optional<control::RolloutStatus>& status);

// What the file says, for config_json.h; without the values of headers and what follows the origin of a URL.
boost::json::value plan_json(const std::optional<rollout::Plan>& plan);
boost::json::object check_json(const check::CheckPolicy& check);
boost::json::object notify_json(const notify::NotifyPolicy& notify);

/// What became of the notifications, target by target.
boost::json::array targets_json(const std::vector<notify::TargetStats>& targets);

}  // namespace tidegate::admin
