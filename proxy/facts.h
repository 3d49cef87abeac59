// Hands what one folder knows to another that must not know it: the engine's status to the metrics page, the workers'
// totals to the admin API. Part of the composition root.
#pragma once

#include <vector>

#include "admin/services.h"
#include "control/status.h"
#include "observe/live_facts.h"
#include "observe/metrics.h"

namespace tidegate {

observe::LiveFacts live_facts(const control::Status& status, std::uint64_t access_log_lost);
std::vector<admin::RouteTraffic> route_traffic(const observe::Metrics& metrics, const config::Config& config);

}  // namespace tidegate
