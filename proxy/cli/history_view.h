// The answer of GET /api/v1/history as a table, newest first, times in local time. Pure but for the time zone.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

namespace tidegate::cli {

std::string history_view(const boost::json::value& history);

/// ISO 8601: "2026-03-29T14:00:05+0200"
std::string local_time(std::int64_t wall_ms);

}  // namespace tidegate::cli
