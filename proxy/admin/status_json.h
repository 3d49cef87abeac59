// What the engine and the workers know, as the JSON of GET /api/v1/status and /api/v1/routes: the shape that
// `tidegate status` reads. Statistics that stand at minus infinity (no suspicion is open) are null, JSON has no word
// for them. Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string_view>
#include <vector>

#include "admin/services.h"
#include "control/status.h"

namespace tidegate::admin {

struct ProcessStatus {
  std::string_view version;
  bool ready = false;
  std::int64_t started_at_ms = 0;
};

boost::json::object status_json(const control::Status& status, const std::vector<RouteTraffic>& traffic,
                                const ProcessStatus& process);
/// @param traffic of all routes; a route that is not among them has none.
boost::json::object route_json(const control::RouteStatus& route, const std::vector<RouteTraffic>& traffic);
/// Without what its record keeps for a replay, which is for machines (explain_json.h).
boost::json::object decision_json(const store::Decision& decision);

/// GET /api/v1/clusters, and a part of the status.
boost::json::array clusters_json(const std::vector<ClusterHealth>& clusters);

/// 25, not 25.0: what was written in the file and typed by people.
boost::json::value percent_json(Weight weight);

}  // namespace tidegate::admin
