// The answer of GET /api/v1/status as people read it: for each route the sides, the weight, the latch, the gate with
// its sentence, the mirror and what clients saw. Fits 80 columns. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "cli/terminal.h"

namespace tidegate::cli {

std::string status_view(const boost::json::value& status, const ViewStyle& style);
/// One element of "routes", or the answer of GET /api/v1/routes/R.
std::string route_view(const boost::json::value& route, const ViewStyle& style);

/// 25 -> "25 %"
std::string percent_text(const boost::json::value& percent);

}  // namespace tidegate::cli
