// The answer of GET /api/v1/history as a table, newest first, times in local time. Pure but for the time zone.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace tidegate::cli {

std::string history_view(const boost::json::value& history);

}  // namespace tidegate::cli
