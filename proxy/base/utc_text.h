// Moments as machines and logs write them. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace tidegate {

/// RFC 3339 in UTC with milliseconds: "2026-11-24T17:27:46.250Z". @param wall_ms since the Unix epoch, before it negative
std::string utc_text(std::int64_t wall_ms);

}  // namespace tidegate
